"""Fixtures for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .sandbox import Sandbox, Shared


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    sandbox = Shared.take()
    try:
        yield sandbox
    finally:
        Shared.leave()


@pytest.fixture(scope="module")
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """Returns the sandbox after a reset for this module."""
    shared_sandbox.reset()
    return shared_sandbox
