"""The devices, names and few files of /proc that a root needs to live in a chroot; all of it is transient."""

from __future__ import annotations

import os
from pathlib import Path

from ..aptsource import RELAY
from ..roots import LOGINS
from .system import remove_tree

PROC_FILES = ("cpuinfo", "meminfo", "stat", "uptime", "version", "loadavg", "filesystems", "cmdline")
MOUNTINFO = "1 0 8:1 / / rw - ext4 /dev/root rw\n2 1 0:4 / /proc rw - proc proc rw\n"
# Without /proc the loader can't find libraries beside a program: Java needs its own named.
JAVA = ":".join(
    f"/usr/lib/jvm/java-{version}-openjdk-{arch}/lib" for version in (17, 21) for arch in ("amd64", "arm64")
)
SUDOERS = "admin ALL=(ALL) NOPASSWD:ALL\nDefaults env_file=/run/ec2-environment\n"
# systemd's tools see a chroot and let `systemctl restart` be; only these four have something to talk to.
POWER = {
    f"usr/local/sbin/{name}": f'#!/bin/sh\nSYSTEMD_IGNORE_CHROOT=1 exec /usr/sbin/{name} "$@"\n'
    for name in ("shutdown", "poweroff", "halt", "reboot")
}


def dress(root: Path) -> None:
    """What a boot puts in place: devices, a few static files of /proc, /run, names; all of it is transient."""
    undress(root)
    for name, number in {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}.items():
        if not (root / "dev" / name).exists():
            os.mknod(root / "dev" / name, 0o20666, os.makedev(1, number))
            os.chmod(root / "dev" / name, 0o666)
    for name, text in POWER.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/1/root").mkdir(parents=True)  # differs from `/`, by which systemd's tools know a chroot
    for name in PROC_FILES:
        (root / "proc" / name).write_bytes(Path("/proc", name).read_bytes())
    (root / "proc/self/mountinfo").write_text(MOUNTINFO)
    (root / "proc/self/mounts").write_text("/dev/root / ext4 rw 0 0\nproc /proc proc rw 0 0\n")
    (root / "proc/mounts").symlink_to("self/mounts")
    for name in ("run/sshd", "run/lock"):
        (root / name).mkdir()
    os.mkfifo(root / "run/initctl", 0o600)
    (root / "run/ec2-environment").write_text(f"LD_LIBRARY_PATH={JAVA}\n")
    (root / "etc/sudoers.d/90-cloud-init-users").write_text(SUDOERS)
    (root / "etc/sudoers.d/90-cloud-init-users").chmod(0o440)
    resolv = root / "etc/resolv.conf"
    if resolv.is_symlink():  # systemd-resolved is installed but can't run here: write what it would
        resolv = root / os.path.normpath(os.path.join("/etc", os.readlink(resolv))).lstrip("/")
        resolv.parent.mkdir(parents=True, exist_ok=True)
    resolv.write_bytes(Path("/etc/resolv.conf").read_bytes())
    (root / "etc/hosts").write_bytes(Path("/etc/hosts").read_bytes())
    for name in ("etc/apt/sources.list", "etc/apt/apt.conf.d/95mirror", LOGINS):
        if (root / name).is_file():
            (root / name).write_text((root / name).read_text().replace(f"{RELAY}:", "127.0.0.1:"))


def undress(root: Path) -> None:
    """Take away again what a boot put in place."""
    for name in ("proc", "run", "sys"):
        for path in (root / name).iterdir():
            remove_tree(path)
    for name in POWER:
        (root / name).unlink(missing_ok=True)
