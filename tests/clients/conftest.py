"""Puts the judge on the path, and releases once what the clients look at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judge.catalog import VENDOR, Catalog
from judge.fixtures import box, sandbox  # noqa: F401
from judge.sandbox import Sandbox


@pytest.fixture(scope="session")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:  # noqa: F811
    """Two images, siblings, one of them promoted to Prod."""
    sandbox.reset()
    made = Catalog(sandbox, tmp_path_factory.mktemp("clients"), "clients")
    for name in ("left", "right"):
        made.file(f"scripts/{name}.sh", f"echo {name} > /etc/side\n")
        made.image(name, source=VENDOR, scripts=[f"scripts/{name}.sh"])
    made.release("--jobs", "2")
    made.bakeline("promote", "left", "--to", "Prod", want=0)
    yield made
