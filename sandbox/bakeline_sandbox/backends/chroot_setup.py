"""Sets up and tears down what a root needs to run in a chroot.

This covers devices, host names, /run and a few static files of /proc. All of it is transient.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..host.apt import RELAY_ADDRESS
from ..host.mounts import remove_tree
from ..vendor_root_files import APT_CONF, AUTH_CONF, SOURCES_LIST
from .first_boot import default_user
from .initctl import PIPE

DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}  # minor numbers
PROC_FILES = "cpuinfo meminfo stat uptime version loadavg filesystems cmdline".split()
MOUNTINFO = "1 0 8:1 / / rw - ext4 /dev/root rw\n2 1 0:4 / /proc rw - proc proc rw\n"
MOUNTS = "/dev/root / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
# Without /proc, the loader does not find libraries next to a program. Java needs this path.
JAVA_LIBRARY_PATH = ":".join(
    f"/usr/lib/jvm/java-{version}-openjdk-{architecture}/lib"
    for version in (17, 21)
    for architecture in ("amd64", "arm64")
)
SUDOERS = "%s ALL=(ALL) NOPASSWD:ALL\nDefaults env_file=/run/ec2-environment\n"
# systemd's tools do nothing in a chroot. These four must work: they write to the init pipe.
POWER_COMMANDS = {
    f"usr/local/sbin/{name}": f'#!/bin/sh\nSYSTEMD_IGNORE_CHROOT=1 exec /usr/sbin/{name} "$@"\n'
    for name in ("shutdown", "poweroff", "halt", "reboot")
}


def set_up_root(root: Path) -> None:
    """Creates what a boot creates; removes the leftovers of an earlier boot first."""
    tear_down_root(root)
    _create_devices(root)
    for name, text in POWER_COMMANDS.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    _create_proc(root)
    _create_run(root)
    sudoers = root / "etc/sudoers.d/90-cloud-init-users"
    sudoers.write_text(SUDOERS % default_user(root)[0])
    sudoers.chmod(0o440)
    _write_name_resolution(root)
    _replace_relay_address(root)


def tear_down_root(root: Path) -> None:
    """Removes what `set_up_root` created, except devices and files in /etc."""
    for name in ("proc", "run", "sys"):
        for path in (root / name).iterdir():
            remove_tree(path)
    for name in POWER_COMMANDS:
        (root / name).unlink(missing_ok=True)


def _create_devices(root: Path) -> None:
    for name, minor in DEVICES.items():
        path = root / "dev" / name
        if not path.exists():
            os.mknod(path, 0o20666, os.makedev(1, minor))
            os.chmod(path, 0o666)


def _create_proc(root: Path) -> None:
    (root / "proc/self").mkdir(parents=True)
    # systemd's tools detect a chroot because /proc/1/root is not the same directory as /.
    (root / "proc/1/root").mkdir(parents=True)
    for name in PROC_FILES:
        (root / "proc" / name).write_bytes(Path("/proc", name).read_bytes())
    (root / "proc/self/mountinfo").write_text(MOUNTINFO)
    (root / "proc/self/mounts").write_text(MOUNTS)
    (root / "proc/mounts").symlink_to("self/mounts")


def _create_run(root: Path) -> None:
    for name in ("run/sshd", "run/lock"):
        (root / name).mkdir()
    os.mkfifo(root / PIPE, 0o600)
    (root / "run/ec2-environment").write_text(f"LD_LIBRARY_PATH={JAVA_LIBRARY_PATH}\n")


def _write_name_resolution(root: Path) -> None:
    """Copies the host's resolv.conf and hosts file."""
    resolv_conf = root / "etc/resolv.conf"
    if resolv_conf.is_symlink():  # to a file that systemd-resolved writes, which does not run here
        target = os.path.join("/etc", os.readlink(resolv_conf))
        resolv_conf = root / os.path.normpath(target).lstrip("/")
        resolv_conf.parent.mkdir(parents=True, exist_ok=True)
    resolv_conf.write_bytes(Path("/etc/resolv.conf").read_bytes())
    (root / "etc/hosts").write_bytes(Path("/etc/hosts").read_bytes())


def _replace_relay_address(root: Path) -> None:
    """Makes apt use services on the host's loopback directly, because no relay runs here."""
    for name in (SOURCES_LIST, APT_CONF, AUTH_CONF):
        path = root / name
        if path.is_file():
            path.write_text(path.read_text().replace(f"{RELAY_ADDRESS}:", "127.0.0.1:"))
