"""Runs programs with a time limit and captures their output."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

REPO = Path(__file__).resolve().parents[3]
T = TypeVar("T")
HANG = 600.0
"""Time limit in seconds that detects hangs on slow machines. Tests do not judge durations."""


def _binary() -> str:
    if given := os.environ.get("BAKELINE"):
        return given
    target = os.environ.get("CARGO_TARGET_DIR")
    places = [Path(target)] if target else [REPO / "target", Path.home() / ".cache/bakeline/target"]
    return str(next((p / "debug/bakeline" for p in places if (p / "debug/bakeline").exists()), places[0] / "bakeline"))


BAKELINE = str(Path(_binary()).absolute())


@dataclass(frozen=True)
class CompletedRun:
    """A process that has ended, with its output."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def words(self) -> str:
        """The output with one blank between words, because tables wrap their texts."""
        return " ".join(self.out.split())

    def __str__(self) -> str:
        said = f"exit {self.code} in {self.seconds:.1f} s\n-- stdout\n{self.out}\n-- stderr\n{self.err}"
        return f"{' '.join(self.args)}\n{said}"


def run(
    args: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = HANG, want: int | None = None
) -> CompletedRun:
    """Runs a program to its end. Any exit code but `want`, if given, fails the test."""
    begun = time.monotonic()
    ended = subprocess.run(args, cwd=cwd, env=dict(env), capture_output=True, timeout=timeout, check=False)
    out, err = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
    done = CompletedRun(tuple(args), ended.returncode, out, err, time.monotonic() - begun)
    if want is not None:
        assert done.code == want, f"wanted exit {want}: {done}"
    return done


def wait_until(ask: Callable[[], T], seconds: float, what: str, every: float = 0.1) -> T:
    """Calls a function until its result is true, and returns the result."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {seconds} s for {what}; last answer: {answer!r}"
        time.sleep(every)
