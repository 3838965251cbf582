"""Finds and removes mounts, and deletes directory trees without following them."""

from __future__ import annotations

from pathlib import Path

from ..errors import HostError
from .processes import run_command

MAX_STACKED_MOUNTS = 200


def mount_points_below(path: Path) -> list[str]:
    """Returns the mount points at or below a directory, in the order in which they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point == str(path) or point.startswith(f"{path}/")]


def unmount_below(path: Path) -> None:
    """Unmounts everything at or below a directory, including mounts on top of each other."""
    for _ in range(MAX_STACKED_MOUNTS):
        points = mount_points_below(path)
        if not points:
            return
        run_command("umount", points[-1])
    raise HostError(f"cannot unmount everything below `{path}`: unmount it manually")


def remove_tree(path: Path) -> None:
    """Deletes a directory tree; raises HostError if something is mounted in it."""
    if points := mount_points_below(path):
        raise HostError(f"refusing to delete `{path}`: `{points[0]}` is still mounted")
    if path.exists() or path.is_symlink():
        run_command("rm", "-rf", "--one-file-system", path)
