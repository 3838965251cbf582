"""Instance disks: an overlay of frozen layers with one writable layer on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .system import BackendError, mounts_below, run, unmount_below

MAX_OPTIONS = 4000  # the kernel takes one page of mount options


def mount(name: str, folder: Path, store: Path, layers: Sequence[str]) -> None:
    """Mount `root` in a folder from layers of a store and `up`, what was written; relative names keep options short.

    The mount's source is the instance's name, by which it is recognised in any mount namespace.
    """
    for part in ("up", "work", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "up").chmod(0o755)
    if mounts_below(folder / "root"):
        raise BackendError(f"`{folder / 'root'}` is mounted already")
    here = f"../instances/{folder.name}"
    options = f"redirect_dir=off,metacopy=off,lowerdir={':'.join(layers)},upperdir={here}/up,workdir={here}/work"
    if len(options) > MAX_OPTIONS:
        raise BackendError(f"an image of {len(layers)} layers is too deep for a mount: rebuild it from a vendor image")
    # The newer mount interface of util-linux refuses option values over 256 bytes.
    older = ("env", "LIBMOUNT_FORCE_MOUNT2=always")
    run(*older, "mount", "-t", "overlay", name, "-o", options, folder / "root", cwd=store)


def unmount(root: Path) -> None:
    """Unmount an instance's root and drop the lock file that nspawn leaves for it."""
    if mounts_below(root):
        status = root.stat()
        unmount_below(root)
        Path(f"/run/systemd/nspawn/locks/inode-{status.st_dev}:{status.st_ino}").unlink(missing_ok=True)
