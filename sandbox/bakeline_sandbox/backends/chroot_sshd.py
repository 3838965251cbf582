"""Configures the ssh server of an instance in a chroot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CONFIG = "run/sshd/config"


def write_config(root: Path) -> None:
    """Writes the server's configuration: that of the image without its listen addresses.

    Addresses on the command line would be added to those of the image.
    """
    lines = read_config_lines(root, "etc/ssh/sshd_config")
    (root / CONFIG).write_text("\n".join(lines) + "\n")


def command(addresses: Iterable[str], library_path: str) -> list[str]:
    """Returns the command that runs the server on port 22 of these addresses."""
    options = ["PidFile=none", f"SetEnv=LD_LIBRARY_PATH={library_path}"]
    options += [f"ListenAddress={address}:22" for address in addresses]
    return ["/usr/sbin/sshd", "-D", "-e", "-f", f"/{CONFIG}", *(f"-o{one}" for one in options)]


def read_config_lines(root: Path, path: str) -> list[str]:
    """Returns the lines of a configuration file and its includes, without listen addresses."""
    lines: list[str] = []
    for line in (root / path).read_text().splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword.lower() == "include":
            for included in _included_files(root, value.split()):
                lines += read_config_lines(root, str(included.relative_to(root)))
        elif keyword.lower() != "listenaddress":
            lines.append(line)
    return lines


def _included_files(root: Path, patterns: list[str]) -> list[Path]:
    files: list[Path] = []
    for pattern in patterns:
        inside = pattern.lstrip("/") if pattern.startswith("/") else f"etc/ssh/{pattern}"
        files += sorted(root.glob(inside))
    return files
