"""Adds the support library to the path, sorts slow files first so that two workers end together, and runs each module
that uses the local EC2 once for each Packer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support.fixtures import packer, sandbox, shared_sandbox  # noqa: F401
from support.packers import find_packers

LONGEST = (
    "test_killed_moves.py",
    "test_lifecycle.py",
    "test_prune_reference.py",
    "test_provisioners.py",
    "test_demo_chroot.py",
    "test_baselines.py",
    "test_targets.py",
)


PACKERS = find_packers()
# Tests in these folders run once, with the Packer in PATH.
RUN_ONCE = ("api", "clients")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "packer" in metafunc.fixturenames and metafunc.definition.path.parent.name not in RUN_ONCE:
        metafunc.parametrize("packer", PACKERS, ids=[one.name for one in PACKERS], indirect=True, scope="module")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for one in PACKERS:
        plugin = f"packer-plugin-amazon {one.plugin}" if one.plugin else "included Amazon builder"
        terminalreporter.write_line(f"Packer {one.version} with {plugin}: {one.path}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
