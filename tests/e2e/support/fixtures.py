"""The fixtures that both folders' conftests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .sandbox import Sandbox, Shared


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    box = Shared.take()
    try:
        yield box
    finally:
        Shared.leave()


@pytest.fixture(scope="module")
def box(sandbox: Sandbox) -> Sandbox:
    """The sandbox, emptied for this module."""
    sandbox.reset()
    return sandbox
