"""Fixtures for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .packers import Packer
from .sandbox import Sandbox, Shared


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    sandbox = Shared.take()
    try:
        yield sandbox
    finally:
        Shared.leave()


@pytest.fixture(scope="module")
def packer(request: pytest.FixtureRequest) -> Packer | None:
    """Returns the Packer of this pass over the module; conftest.py supplies one pass for each binary."""
    return getattr(request, "param", None)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox: Sandbox, packer: Packer | None) -> Sandbox:
    """Returns the sandbox after a reset for this module. Its environment selects the Packer."""
    shared_sandbox.packer = packer
    shared_sandbox.reset()
    return shared_sandbox
