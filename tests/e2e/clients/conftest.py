"""Releases two images once for all client tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.catalog import VENDOR, Catalog
from support.sandbox import Sandbox


@pytest.fixture(scope="session")
def catalog(shared_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Two sibling images, one of them promoted to Prod."""
    shared_sandbox.reset()
    catalog = Catalog(shared_sandbox, tmp_path_factory.mktemp("clients"), "clients")
    for name in ("left", "right"):
        catalog.file(f"scripts/{name}.sh", f"echo {name} > /etc/side\n")
        catalog.image(name, source=VENDOR, scripts=[f"scripts/{name}.sh"])
    catalog.release("--jobs", "2")
    catalog.bakeline("promote", "left", "--to", "Prod", want=0)
    yield catalog
