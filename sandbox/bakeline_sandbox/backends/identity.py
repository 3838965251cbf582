"""The identity of a new instance in a chroot: does what cloud-init and systemd, which do not run there, do at a first boot.

Everything else that the image holds stays, as on EC2, so that an image without a seal shows.
"""

from __future__ import annotations

from pathlib import Path

from . import InstanceSpec
from .system import run
from .userdata import cloud_config, host_keys

# cloud-init's cc_ssh runs once for each instance ID. It deletes /etc/ssh/ssh_host_*key* unless `ssh_deletekeys` is false,
# then writes the keys of `ssh_keys`, or generates those that are missing
# (https://cloudinit.readthedocs.io/en/latest/reference/modules.html#ssh). The image's own cloud-init reads its configuration.
CONFIGURED = (
    "from cloudinit import util; print(util.read_conf_with_confd('/etc/cloud/cloud.cfg').get('ssh_deletekeys', True))"
)
# systemd keeps an ID that is there. It fills an empty or missing file from D-Bus's copy or at random (machine-id(5)), and
# `uninitialized` counts as missing when the system boots.
MACHINE_ID = 'if [ "$(cat /etc/machine-id 2>/dev/null)" = uninitialized ]; then rm /etc/machine-id; fi; exec systemd-machine-id-setup'


def complete(root: Path, spec: InstanceSpec) -> None:
    """Does what cloud-init and systemd do on a new machine: host keys, machine ID, host name, user and key."""
    _host_keys(root, spec.user_data or b"")
    run("chroot", root, "sh", "-c", MACHINE_ID)
    (root / "etc/hostname").write_text(f"ip-{spec.private_ip.replace('.', '-')}\n")
    if not any(line.startswith("admin:") for line in (root / "etc/passwd").read_text().splitlines()):
        run("chroot", root, "useradd", "-m", "-s", "/bin/bash", "-G", "adm,sudo", "-p", "*", "admin")
    if spec.public_key:
        line = spec.public_key.strip()
        script = 'umask 077; mkdir -p ~/.ssh; touch ~/.ssh/authorized_keys; grep -qxF "$0" ~/.ssh/authorized_keys || printf "%s\\n" "$0" >> ~/.ssh/authorized_keys'
        run("chroot", "--userspec=admin:admin", root, "env", "HOME=/home/admin", "sh", "-c", script, line)


def _host_keys(root: Path, user_data: bytes) -> None:
    deletes = cloud_config(user_data).get("ssh_deletekeys")
    if deletes is None:  # an image without cloud-init prints nothing, and its keys stay
        deletes = run("chroot", root, "python3", "-c", CONFIGURED, check=False).strip() == "True"
    for path in (root / "etc/ssh").glob("ssh_host_*key*") if deletes else ():
        path.unlink()
    given = host_keys(user_data)
    for name, text in given.items():
        path = root / "etc/ssh" / name
        path.touch(mode=0o644 if name.endswith(".pub") else 0o600)
        path.write_text(text if text.endswith("\n") else f"{text}\n")
    if not given:
        run("chroot", root, "ssh-keygen", "-A")
