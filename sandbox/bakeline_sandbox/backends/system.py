"""Small helpers around processes, network namespaces, mounts and cgroups of the host."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class BackendError(Exception):
    """Something the host refused; the text names the command and its own words."""


def run(*command: str | Path, stdin: str | None = None, cwd: Path | None = None, check: bool = True) -> str:
    """Run a host tool and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise BackendError(f"`{' '.join(map(str, command))}` failed with exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def in_netns(name: str, action: Callable[[], T]) -> T:
    """Do `action` in a thread that has entered the network namespace; sockets made there stay there."""
    results: list[Any] = []

    def enter() -> None:
        with open(f"/run/netns/{name}") as namespace:
            if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                results.append(OSError(ctypes.get_errno(), f"cannot enter network namespace {name}"))
                return
        try:
            results.append(action())
        except Exception as error:  # handed to the caller's thread
            results.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if not results or isinstance(results[0], Exception):
        raise results[0] if results else BackendError(f"network namespace {name} is gone")
    result: T = results[0]
    return result


def wait_until(condition: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Poll; False when the time is up."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def pids() -> list[int]:
    """Every process of the host."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def proc_text(pid: int, name: str) -> str:
    """A file of /proc/PID, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    stat = proc_text(pid, "stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    return [int(child) for child in proc_text(pid, f"task/{pid}/children").split()]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_all(victims: Iterable[int], seconds: float = 10) -> None:
    """SIGKILL and wait until they are gone."""
    victims = [pid for pid in victims if pid != os.getpid()]
    for pid in victims:
        kill(pid)
    if not wait_until(lambda: not any(alive(pid) for pid in victims), seconds):
        raise BackendError(f"processes {[pid for pid in victims if alive(pid)]} did not end after SIGKILL")


def mounts_below(path: Path) -> list[str]:
    """Mount points at or below a directory, deepest last."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if point == str(path) or point.startswith(f"{path}/")]


def unmount_below(path: Path) -> None:
    """Unmount everything at or below a directory; a mount can be doubled."""
    for _ in range(200):
        points = mounts_below(path)
        if not points:
            return
        run("umount", points[-1])
    raise BackendError(f"mounts below `{path}` do not go away: unmount them by hand")


def remove_tree(path: Path) -> None:
    """Delete a directory tree, but never through a mount."""
    if left := mounts_below(path):
        raise BackendError(f"refusing to delete `{path}`: `{left[0]}` is still mounted there")
    if path.exists() or path.is_symlink():
        run("rm", "-rf", "--one-file-system", path)


def cgroup_roots() -> list[Path]:
    """The hierarchies systemd manages: one on a pure v2 host, two on a hybrid one."""
    base = Path("/sys/fs/cgroup")
    if (base / "cgroup.controllers").exists():
        return [base]
    return [base / name for name in ("systemd", "unified") if (base / name / "cgroup.procs").exists()]


def enter_cgroup(name: str) -> list[str]:
    """The head of a command line that runs the rest in a cgroup of its own; code between fork and exec could deadlock."""
    groups = [root / name for root in cgroup_roots()]
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    moves = " && ".join(f"echo $$ > {shlex.quote(str(group / 'cgroup.procs'))}" for group in groups)
    return ["sh", "-c", f'{moves} && exec "$@"', "sh"]


def cgroup_members(name: str) -> set[int]:
    """Every process in a cgroup and below; groups may vanish meanwhile."""
    found: set[int] = set()
    for folder in (folder for root in cgroup_roots() for folder, _, _ in os.walk(root / name)):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return found - {0}


def drop_cgroup(name: str) -> None:
    """Remove a cgroup and everything below it; busy ones are left for the next try."""
    for root in cgroup_roots():
        for folder, _, _ in os.walk(root / name, topdown=False):
            wait_until(lambda folder=folder: _rmdir(folder), 2)  # type: ignore[misc]


def _rmdir(folder: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder)


def has_capabilities(bits: Sequence[int]) -> bool:
    """Whether this process holds all these capabilities."""
    line = next(line for line in proc_text(os.getpid(), "status").splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    return all(held >> bit & 1 for bit in bits)
