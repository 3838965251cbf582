"""Packer and its plugin are checked before anything is changed. Stub programs imitate other installations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox
from support.stub_packer import install_stub, plugin_lines


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    sandbox.reset()
    made = Catalog(sandbox, tmp_path / "packer", "packer")
    made.image("base", source=VENDOR)
    yield made


MISSING = "run `packer plugins install github.com/hashicorp/amazon 1.8.2`"
OFFLINE = "packer plugins install --path FILE github.com/hashicorp/amazon"
TWO_FOLDERS = "Multiple paths are no longer supported for PACKER_PLUGIN_PATH."
CASES = {
    "plugin missing": ("1.16.0", [], "", ["none is installed", ">= 1.2.0, < 2.0.0", MISSING, OFFLINE]),
    "plugin too old": ("1.16.0", ["1.1.6"], "", ["found 1.1.6", ">= 1.2.0, < 2.0.0", MISSING, OFFLINE]),
    "plugin too new": ("1.16.0", ["2.0.0"], "", ["found 2.0.0", ">= 1.2.0, < 2.0.0", MISSING]),
    "Packer too old": ("1.5.0", [], "", ["1.5.0", "1.6.6"]),
    "Packer fails": ("1.16.0", [], "No $HOME environment variable found", ["No $HOME environment variable found"]),
    "two plugin folders": ("1.16.0", [], TWO_FOLDERS, [TWO_FOLDERS, "set PACKER_PLUGIN_PATH to one directory"]),
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


def test_xdg_directories_are_passed_to_packer(catalog: Catalog) -> None:
    found = f"test \"$XDG_CONFIG_HOME$XDG_CACHE_HOME\" = /config/cache && exec printf '{plugin_lines('1.1.6')}';"
    env = install_stub(catalog, "1.16.0", [], before=f'case "$*" in "plugins installed") {found} esac')
    xdg = {"XDG_CONFIG_HOME": "/config", "XDG_CACHE_HOME": "/cache"}
    done = catalog.bakeline("release", env=env, want=1)
    assert "none is installed" in done.err, done
    done = catalog.bakeline("release", env={**env, **xdg}, want=1)
    assert "found 1.1.6" in done.err, done


def test_only_searched_plugin_folder_is_named(catalog: Catalog) -> None:
    env = install_stub(catalog, "1.16.0", [])
    done = catalog.bakeline("release", env={**env, "PACKER_PLUGIN_PATH": "/opt/plugins"}, want=1)
    assert "none is installed in PACKER_PLUGIN_PATH, `/opt/plugins`" in done.err, done


def test_untested_versions_cause_a_warning(catalog: Catalog) -> None:
    catalog.image("base", source={**VENDOR, "name": "no-such-ami-*"})
    for packer, plugin, warnings in (("1.17.0", "1.9.0", 2), ("1.16.0", "1.8.2", 0)):
        done = catalog.bakeline("release", env=install_stub(catalog, packer, ["1.3.7", plugin]))
        assert "no-such-ami" in done.err, done
        assert done.err.count("has not been tested") == warnings, done
    assert "no-such-ami" in done.err, done


def test_missing_session_manager_plugin_is_reported_first(sandbox: Sandbox, catalog: Catalog) -> None:
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, "builder": {"access": "ssm", "instance_profile": "build"}}))
    catalog.file("bin/aws", "#!/bin/sh\nexit 1\n").chmod(0o755)
    mark = sandbox.mark()
    env = {**install_stub(catalog, "1.16.0", ["1.8.2"]), "PATH": f"{catalog.at}/bin"}
    done = catalog.bakeline("release", env=env, want=1)
    assert "`access: ssm` in bakeline.yaml requires `session-manager-plugin`" in done.err, done
    assert sandbox.changes(mark) == []
