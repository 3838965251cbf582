"""Mounts the disks of instances: an overlay of disk layers with one writable layer on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import HostError, InstanceError
from ..host.mounts import mount_points_below, unmount_below
from ..host.processes import run_command

MAX_OPTION_BYTES = 4000  # the kernel accepts one page of mount options


def mount_disk(source: str, folder: Path, layers_dir: Path, layers: Sequence[str]) -> None:
    """Mounts `root` of an instance's folder from disk layers and its writable layer `up`.

    `source` is the mount's source, which identifies it in any mount namespace. Layers are given
    relative to `layers_dir`, because the length of the options is limited.
    """
    for part in ("up", "work", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "up").chmod(0o755)
    if mount_points_below(folder / "root"):
        raise HostError(f"`{folder / 'root'}` is already mounted")
    own = f"../instances/{folder.name}"
    directories = f"lowerdir={':'.join(layers)},upperdir={own}/up,workdir={own}/work"
    options = f"redirect_dir=off,metacopy=off,{directories}"
    if len(options) > MAX_OPTION_BYTES:
        text = f"an AMI with {len(layers)} layers is too deep to mount"
        raise InstanceError(f"{text}: build it again from a vendor AMI")
    # util-linux's newer mount interface rejects option values of more than 256 bytes.
    command = ["env", "LIBMOUNT_FORCE_MOUNT2=always", "mount", "-t", "overlay", source]
    run_command(*command, "-o", options, folder / "root", cwd=layers_dir)


def unmount_disk(root: Path) -> None:
    """Unmounts an instance's root and deletes the lock file that nspawn creates for it."""
    if mount_points_below(root):
        status = root.stat()
        unmount_below(root)
        lock = f"inode-{status.st_dev}:{status.st_ino}"
        Path("/run/systemd/nspawn/locks", lock).unlink(missing_ok=True)
