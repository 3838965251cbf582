"""Selects the cases of a test with many cases: all of them for `make matrix`, otherwise a sample that rotates by commit."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from typing import TypeVar

from .run import REPO

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
T = TypeVar("T")


def find_commit() -> str:
    """Returns the commit under test, or an empty text without a git repository."""
    if commit := os.environ.get("CI_COMMIT_SHA"):
        return commit
    words = ["git", "-c", f"safe.directory={REPO}", "rev-parse", "HEAD"]
    return subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=False).stdout.strip()


def select_cases(test: str, cases: Sequence[T], size: int) -> list[T]:
    """Returns all cases, or a sample of this size. Prints what was selected."""
    commit = find_commit()
    chosen = list(cases) if FULL else random.Random(f"{test} {commit}").sample(list(cases), min(size, len(cases)))
    print(f"{test}: {len(chosen)} of {len(cases)} cases" + ("" if FULL else f", sample of commit {commit[:12]}"))
    return chosen
