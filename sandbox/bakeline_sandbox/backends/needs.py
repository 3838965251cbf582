"""What each backend needs of the host, and what to do where it is missing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from . import Problem
from .system import cgroup_roots, has_capabilities

SETPCAP, NET_ADMIN, SYS_CHROOT, SYS_ADMIN = 8, 12, 18, 21
BOOTED = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "mount": "mount",
}
PLAIN = {"mmdebstrap": "mmdebstrap", "cp": "coreutils", "chroot": "coreutils", "setpriv": "util-linux"}


def _common(base: Path, tools: dict[str, str], gigabytes: int) -> list[Problem]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [(tool, package) for tool, package in tools.items() if not shutil.which(tool, path=path)]
    found = [Problem(f"the command `{tool}` is missing", f"apt-get install {package}") for tool, package in missing]
    if shutil.disk_usage(base).free < gigabytes << 30:
        text = f"less than {gigabytes} GB are free at `{base}`"
        found.append(Problem(text, "free some space or give another directory with --dir"))
    return found


def _unfit() -> list[Problem]:
    if os.uname().sysname != "Linux":
        return [Problem("instances need Linux", "run the sandbox on a Linux host or in a Linux VM")]
    return [Problem("instances need root", "run the command with sudo")] if os.geteuid() else []


def _existing(store: Path) -> Path:
    return next(path for path in (store, *store.absolute().parents) if path.exists())


def booted(store: Path) -> list[Problem]:
    """What keeps containers from being booted here."""
    base = _existing(store)
    found = _common(base, BOOTED, 2)
    if unfit := _unfit():
        return [*found, *unfit]
    if not has_capabilities([NET_ADMIN, SYS_ADMIN]):
        fix = "run in a VM or a privileged container, or use `--backend chroot`"
        found.append(Problem("mounts and network namespaces are forbidden here", fix))
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], capture_output=True, text=True, check=False).stdout
    if kind.strip() == "overlayfs":
        text = f"`{base}` is on an overlay file system, which can't hold another one"
        found.append(Problem(text, "give a directory on a real disk with --dir"))
    if not cgroup_roots():
        found.append(Problem("no cgroup hierarchy that systemd could use is mounted", "mount one at /sys/fs/cgroup"))
    known = "overlay" in Path("/proc/filesystems").read_text()
    if not known and subprocess.run(["modprobe", "overlay"], capture_output=True, check=False).returncode:
        found.append(Problem("the kernel has no overlay file system", "load the `overlay` module"))
    return found


def plain(store: Path) -> list[Problem]:
    """What keeps instances from running as chroots here."""
    found = _common(_existing(store), PLAIN, 3)
    if unfit := _unfit():
        return [*found, *unfit]
    if not has_capabilities([SETPCAP, SYS_CHROOT]):
        found.append(Problem("chroot is forbidden here", "run in a VM, or in a container with default capabilities"))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.90.255.254", 22))
        except OSError as error:
            fix = "let the host's ssh server listen on its own addresses only"
            found.append(Problem(f"port 22 of 127.90.x.y is taken ({error.strerror})", fix))
    return found
