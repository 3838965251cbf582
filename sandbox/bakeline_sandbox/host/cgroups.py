"""Creates, lists and removes the cgroups of instances."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

from .processes import wait_until

REMOVAL_SECONDS = 2


def cgroup_roots() -> list[Path]:
    """Returns the hierarchies that systemd manages: one on a v2 host, two on a hybrid host."""
    base = Path("/sys/fs/cgroup")
    if (base / "cgroup.controllers").exists():
        return [base]
    hybrid = [base / name for name in ("systemd", "unified")]
    return [root for root in hybrid if (root / "cgroup.procs").exists()]


def command_prefix(name: str) -> list[str]:
    """Creates a cgroup and returns a command prefix that runs a command in it.

    A shell moves itself into the cgroup. Python code between fork and exec could deadlock.
    """
    groups = [root / name for root in cgroup_roots()]
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    files = [shlex.quote(str(group / "cgroup.procs")) for group in groups]
    moves = " && ".join(f"echo $$ > {file}" for file in files)
    return ["sh", "-c", f'{moves} && exec "$@"', "sh"]


def cgroup_pids(name: str) -> set[int]:
    """Returns the processes in a cgroup and below it."""
    pids: set[int] = set()
    for root in cgroup_roots():
        for folder, _, _ in os.walk(root / name):
            with contextlib.suppress(OSError):  # the cgroup was removed in the meantime
                pids |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return pids - {0}


def remove_cgroup(name: str) -> None:
    """Removes a cgroup and everything below it; keeps cgroups that stay busy."""
    for root in cgroup_roots():
        for folder, _, _ in os.walk(root / name, topdown=False):
            wait_until(lambda folder=folder: _try_rmdir(folder), REMOVAL_SECONDS)  # type: ignore[misc]


def _try_rmdir(folder: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder)
