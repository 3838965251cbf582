"""Adds the support library to the path, and sorts slow files first so that two workers end together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support.fixtures import sandbox, shared_sandbox  # noqa: F401

LONGEST = (
    "test_killed_moves.py",
    "test_lifecycle.py",
    "test_prune_reference.py",
    "test_provisioners.py",
    "test_demo_chroot.py",
    "test_baselines.py",
    "test_targets.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
