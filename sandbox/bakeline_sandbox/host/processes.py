"""Runs host tools, and finds, signals and awaits processes."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..errors import HostError

# Prefix of a command in its own namespaces. If its caller is killed, its processes end and its
# mounts vanish with the namespaces.
NAMESPACES = shlex.split(
    "setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc"
)


def run_command(
    *command: str | Path, stdin: str | None = None, cwd: Path | None = None, check: bool = True
) -> str:
    """Runs a host tool and returns its standard output.

    Raises HostError if `check` is set and the tool exits with a code other than 0.
    """
    completed = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and completed.returncode:
        line = " ".join(map(str, command))
        message = completed.stderr.strip()
        raise HostError(f"`{line}` failed with exit code {completed.returncode}: {message}")
    return completed.stdout


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.02) -> bool:
    """Polls a condition; returns False if it is still false after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def list_pids() -> list[int]:
    """Returns the process IDs of the host."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def read_proc_file(pid: int, name: str) -> str:
    """Returns the content of a file in /proc/PID, or "" if the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def read_root_link(pid: int) -> str:
    """Returns the root directory of a process, or "" if the process has ended."""
    try:
        return os.readlink(f"/proc/{pid}/root")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Returns True if the process exists and is not a zombie."""
    stat = read_proc_file(pid, "stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] not in "ZX"


def child_pids(pid: int) -> list[int]:
    """Returns the direct children of a process."""
    return [int(child) for child in read_proc_file(pid, f"task/{pid}/children").split()]


def send_signal(pid: int, number: int) -> None:
    """Sends a signal; does nothing if the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_all(pids: Iterable[int], seconds: float = 10) -> None:
    """Sends SIGKILL to processes, except this one, and waits until they have ended."""
    victims = [pid for pid in pids if pid != os.getpid()]
    for pid in victims:
        send_signal(pid, signal.SIGKILL)
    if not wait_until(lambda: not any(is_alive(pid) for pid in victims), seconds):
        remaining = [pid for pid in victims if is_alive(pid)]
        raise HostError(f"processes {remaining} did not end after SIGKILL")


def has_capabilities(bits: Sequence[int]) -> bool:
    """Returns True if this process has all of these capabilities in its effective set."""
    status = read_proc_file(os.getpid(), "status").splitlines()
    effective = next(line for line in status if line.startswith("CapEff:"))
    mask = int(effective.split()[1], 16)
    return all(mask >> bit & 1 for bit in bits)
