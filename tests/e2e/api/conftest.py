"""Runs the tests of this folder against a local EC2 that boots nothing: they exercise only the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.sandbox import Sandbox


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Returns a local EC2 with stub instances, in a directory of its own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("stubs"))
    sandbox.up("--backend", "stub")
    try:
        yield sandbox
    finally:
        sandbox.down()
