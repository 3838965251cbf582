"""Checks what each backend requires of the host."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..host.cgroups import cgroup_roots
from ..host.processes import has_capabilities

SETPCAP, NET_ADMIN, SYS_CHROOT, SYS_ADMIN = 8, 12, 18, 21
NSPAWN_TOOLS = {  # command: Debian package
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "mount": "mount",
}
CHROOT_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "cp": "coreutils",
    "chroot": "coreutils",
    "setpriv": "util-linux",
}
NSPAWN_GIB, CHROOT_GIB = 2, 3
CHROOT_PROBE = ("127.90.255.254", 22)
ROOT_REQUIRED = "instances need root"


@dataclass(frozen=True)
class Problem:
    """Reason why the local EC2 cannot run on this host, with its fix."""

    cause: str
    fix: str


def nspawn_problems(state_dir: Path) -> list[Problem]:
    """Returns what prevents booted containers on this host."""
    directory = _existing_parent(state_dir)
    problems = _missing_tools(NSPAWN_TOOLS) + _missing_space(directory, NSPAWN_GIB)
    if unsupported := _unsupported_environment():
        return problems + unsupported
    if not has_capabilities([NET_ADMIN, SYS_ADMIN]):
        fix = "run in a VM or a privileged container, or use `--backend chroot`"
        problems.append(Problem("mounts and network namespaces are forbidden here", fix))
    if _file_system_type(directory) == "overlayfs":
        cause = f"`{directory}` is on an overlay file system, which cannot contain another one"
        problems.append(Problem(cause, "choose a directory on a real disk with --dir"))
    if not cgroup_roots():
        cause = "no cgroup hierarchy for systemd is mounted"
        problems.append(Problem(cause, "mount one at /sys/fs/cgroup"))
    if not _has_overlay_support():
        cause = "the kernel does not support overlay file systems"
        problems.append(Problem(cause, "load the module `overlay`"))
    return problems


def chroot_problems(state_dir: Path) -> list[Problem]:
    """Returns what prevents chroots on this host."""
    problems = _missing_tools(CHROOT_TOOLS)
    problems += _missing_space(_existing_parent(state_dir), CHROOT_GIB)
    if unsupported := _unsupported_environment():
        return problems + unsupported
    if not has_capabilities([SETPCAP, SYS_CHROOT]):
        fix = "run in a VM, or in a container with the default capabilities"
        problems.append(Problem("chroot is forbidden here", fix))
    if reason := bind_error(CHROOT_PROBE):
        fix = "configure the host's ssh server to listen on the host's own addresses only"
        problems.append(Problem(f"port 22 of 127.90.x.y is in use ({reason})", fix))
    return problems


def bind_error(address: tuple[str, int]) -> str:
    """Returns the reason why a TCP server cannot listen on an address, or ""."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _missing_tools(tools: dict[str, str]) -> list[Problem]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [
        Problem(f"the command `{tool}` is missing", f"apt-get install {package}")
        for tool, package in tools.items()
        if not shutil.which(tool, path=path)
    ]


def _missing_space(directory: Path, gibibytes: int) -> list[Problem]:
    if shutil.disk_usage(directory).free >= gibibytes << 30:
        return []
    cause = f"less than {gibibytes} GiB are free at `{directory}`"
    return [Problem(cause, "free some space, or choose another directory with --dir")]


def _unsupported_environment() -> list[Problem]:
    if os.uname().sysname != "Linux":
        return [Problem("instances need Linux", "use a Linux host or a Linux VM")]
    return [Problem(ROOT_REQUIRED, "run the command with sudo")] if os.geteuid() else []


def _existing_parent(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())


def _file_system_type(directory: Path) -> str:
    command = ["stat", "-f", "-c", "%T", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _has_overlay_support() -> bool:
    if "overlay" in Path("/proc/filesystems").read_text():
        return True
    return subprocess.run(["modprobe", "overlay"], capture_output=True, check=False).returncode == 0
