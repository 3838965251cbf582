"""Packer and its plugin are checked before anything is changed. Stub programs imitate other installations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox

FOLDER = "/root/.config/packer/plugins/github.com/hashicorp/amazon"


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    sandbox.reset()
    made = Catalog(sandbox, tmp_path / "packer", "packer")
    made.image("base", source=VENDOR)
    yield made


def install_stub(catalog: Catalog, version: str, plugins: list[str], error: str = "") -> dict[str, str]:
    """Returns an environment with a stub `packer` of this version with these plugins."""
    lines = "".join(f"{FOLDER}/packer-plugin-amazon_v{plugin}_x5.0_linux_amd64\\n" for plugin in plugins)
    failing = f"echo '{error}' >&2; exit 1;" if error else ""
    program = f"""#!/bin/sh
{failing}
case "$*" in
"-machine-readable version") echo '1,,version,{version}' ;;
"plugins installed") printf '{lines}' ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
    catalog.file("bin/packer", program).chmod(0o755)
    return {"PATH": f"{catalog.at}/bin:{os.environ['PATH']}"}


CASES = {
    "plugin missing": ("1.16.0", [], "", ["none is installed", ">= 1.2.0, < 2.0.0", "packer plugins install"]),
    "plugin too old": ("1.16.0", ["1.1.6"], "", ["found 1.1.6", ">= 1.2.0, < 2.0.0", "--path"]),
    "plugin too new": ("1.16.0", ["2.0.0"], "", ["found 2.0.0", ">= 1.2.0, < 2.0.0", "packer plugins install"]),
    "Packer too old": ("1.5.0", [], "", ["1.5.0", "1.6.6"]),
    "Packer fails": ("1.16.0", [], "No $HOME environment variable found", ["No $HOME environment variable found"]),
}


@pytest.mark.parametrize("case", CASES)
def test_unusable_packer_is_reported_before_anything_is_changed(sandbox: Sandbox, catalog: Catalog, case: str) -> None:
    version, plugins, error, says = CASES[case]
    before, mark = list_cloud(sandbox), sandbox.mark()
    done = catalog.bakeline("release", env=install_stub(catalog, version, plugins, error), want=1)
    for part in says:
        assert part in done.err, (part, done)
    assert sandbox.changes(mark) == [] and list_cloud(sandbox) == before, describe_difference(
        before, list_cloud(sandbox)
    )
    assert not catalog.runs() and not (catalog.at / ".bakeline").exists()
