"""Configures a new instance in a chroot, as cloud-init and systemd do at a first boot.

Nothing else in the image changes, as on EC2. So an image that was not sealed is visible as such.
"""

from __future__ import annotations

from pathlib import Path

from ..host.processes import run_command
from ..instance_backend import InstanceSpec
from .user_data import parse_cloud_config, parse_host_keys

# cc_ssh of cloud-init runs once per instance ID. It deletes /etc/ssh/ssh_host_*key* unless
# `ssh_deletekeys` is false. Then it writes the keys of `ssh_keys`, or generates missing ones
# (https://cloudinit.readthedocs.io/en/latest/reference/modules.html#ssh).
# The image's own cloud-init reads its configuration.
PRINT_SSH_DELETEKEYS = (
    "from cloudinit import util; "
    "config = util.read_conf_with_confd('/etc/cloud/cloud.cfg'); "
    "print(config.get('ssh_deletekeys', True))"
)
PRINT_DEFAULT_USER = (
    "from cloudinit import util; "
    "config = util.read_conf_with_confd('/etc/cloud/cloud.cfg'); "
    "user = config['system_info']['default_user']; "
    "print(user['name'], ','.join(user['groups']))"
)
# systemd keeps an existing ID. It fills an empty or missing file from the ID of D-Bus, or at
# random. At boot, `uninitialized` counts as missing (machine-id(5)).
SET_UP_MACHINE_ID = """
if [ "$(cat /etc/machine-id 2>/dev/null)" = uninitialized ]; then rm /etc/machine-id; fi
exec systemd-machine-id-setup
"""
ADD_AUTHORIZED_KEY = """
umask 077
mkdir -p ~/.ssh
touch ~/.ssh/authorized_keys
grep -qxF "$0" ~/.ssh/authorized_keys || printf "%s\\n" "$0" >> ~/.ssh/authorized_keys
"""


def configure_root(root: Path, spec: InstanceSpec) -> None:
    """Sets up host keys, machine ID, host name, the login user and its SSH key."""
    _set_up_host_keys(root, spec.user_data or b"")
    run_command("chroot", root, "sh", "-c", SET_UP_MACHINE_ID)
    (root / "etc/hostname").write_text(f"ip-{spec.private_ip.replace('.', '-')}\n")
    user, groups = default_user(root)
    users = (root / "etc/passwd").read_text().splitlines()
    if not any(line.startswith(f"{user}:") for line in users):
        options = ["-m", "-s", "/bin/bash", "-G", groups, "-p", "*"]
        run_command("chroot", root, "useradd", *options, user)
    if spec.public_key:
        as_user = ["chroot", f"--userspec={user}:{user}", str(root), "env", f"HOME=/home/{user}"]
        run_command(*as_user, "sh", "-c", ADD_AUTHORIZED_KEY, spec.public_key.strip())


def default_user(root: Path) -> tuple[str, str]:
    """Returns the login user and its groups in the cloud-init configuration of an image."""
    output = run_command("chroot", root, "python3", "-c", PRINT_DEFAULT_USER, check=False)
    name, _, groups = output.strip().partition(" ")
    return (name, groups) if name else ("admin", "adm,sudo")


def _set_up_host_keys(root: Path, user_data: bytes) -> None:
    if _deletes_host_keys(root, user_data):
        for path in (root / "etc/ssh").glob("ssh_host_*key*"):
            path.unlink()
    host_keys = parse_host_keys(user_data)
    for name, text in host_keys.items():
        path = root / "etc/ssh" / name
        path.touch(mode=0o644 if name.endswith(".pub") else 0o600)
        path.write_text(text if text.endswith("\n") else f"{text}\n")
    if not host_keys:
        run_command("chroot", root, "ssh-keygen", "-A")


def _deletes_host_keys(root: Path, user_data: bytes) -> bool:
    """Returns the value of `ssh_deletekeys`; False for images without cloud-init."""
    value = parse_cloud_config(user_data).get("ssh_deletekeys")
    if value is not None:
        return bool(value)
    output = run_command("chroot", root, "python3", "-c", PRINT_SSH_DELETEKEYS, check=False)
    return output.strip() == "True"
