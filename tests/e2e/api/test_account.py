"""Commands refuse the credentials of another account than `account` in bakeline.yaml. The judge is the API log."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.sandbox import READING, Sandbox
from support.state import OTHER, OWN

COMMANDS = (
    ("plan",),
    ("release",),
    ("why", "base"),
    ("probe", "base"),
    ("explain", "base"),
    ("list",),
    ("promote", "base", "--to", "Prod"),
    ("rollback", "base", "--env", "Prod"),
    ("hold", "base", "20260101.1"),
    ("revoke", "base", "20260101.1"),
    ("doctor", "--apply"),
    ("prune", "--apply"),
    ("sweep", "--apply"),
    ("preflight",),
)


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("account") / "catalog", "owned", account=OTHER)
    catalog.image("base", source=VENDOR)
    return catalog


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_credentials_of_another_account_are_refused(catalog: Catalog, words: tuple[str, ...]) -> None:
    identity = catalog.sandbox.client("sts").get_caller_identity()
    assert identity["Account"] == OWN != OTHER
    mark = catalog.sandbox.mark()
    done = catalog.bakeline(*words, want=7)
    assert f"account {OWN} is not the account of the catalog `owned`, which is {OTHER}" in " ".join(
        (done.err + done.out).split()
    ), done
    calls = [call["action"] for call in catalog.sandbox.api(mark) if "bakeline" in call["user_agent"]]
    assert calls and all(action.startswith(READING) for action in calls), calls


def test_credentials_of_the_account_are_accepted(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "catalog", "owned", account=OWN)
    catalog.image("base", source=VENDOR)
    assert "base" in catalog.bakeline("plan", want=0).out
    inventory = str(tmp_path / "inventory.json")
    catalog.bakeline("plan", "--save-inventory", inventory, want=0)
    settings = catalog.at / "bakeline.yaml"
    settings.write_text(settings.read_text().replace(OWN, OTHER))
    assert f"which is {OTHER}" in catalog.bakeline("plan", "--inventory", inventory, want=7).err
    listed = catalog.bakeline("permissions", "--format", "trust", "--gitlab-project", "acme/images", want=0).out
    assert OTHER in listed and OWN not in listed
