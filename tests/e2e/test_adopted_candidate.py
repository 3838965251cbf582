"""A candidate survives a lack of capacity at its boot check, and the next release continues with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import list_cloud
from support.sandbox import Sandbox

TEMPORARY = ("instances", "volumes", "keys", "groups", "interfaces")


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path / "adopted", "adopted")
    made.file("scripts/mark.sh", "echo adopted > /etc/adopted\n")
    made.image("base", source=VENDOR, scripts=["scripts/mark.sh"], checks=[{"file": "/etc/adopted"}])
    yield made
    sandbox.control("faults", {"faults": []})


def test_next_release_checks_the_candidate_without_a_build(sandbox: Sandbox, catalog: Catalog) -> None:
    before, mark = list_cloud(sandbox), sandbox.mark()
    # The first instance is that of Packer.
    fault = {"action": "RunInstances", "after": 1, "times": 100, "dry_run": False}
    fault |= {"code": "InsufficientInstanceCapacity", "status": 500}
    sandbox.control("faults", {"faults": [fault]})
    done = catalog.bakeline("release", want=4)
    sandbox.control("faults", {"faults": []})
    assert sandbox.changes(mark).count("CreateImage") == 1
    [ami] = catalog.images()
    its, ident = tags(ami), ami["ImageId"]
    assert its["bakeline:state"] == "candidate" and "bakeline:expires" in its, its
    assert f"kept: candidate {ident}" in done.err, done
    after = list_cloud(sandbox)
    assert {kind: after[kind] for kind in TEMPORARY} == {kind: before[kind] for kind in TEMPORARY}
    assert catalog.bakeline("latest", "base", "--env", "Test").code == 6, "a candidate is not current"
    planned = json.loads(catalog.bakeline("plan", "--json", want=0).out)
    assert [one["verdict"] for one in planned["decisions"]] == ["adopt"], planned["decisions"]
    mark = sandbox.mark()
    result = catalog.release()["base"]
    changes = sandbox.changes(mark)
    assert "CreateImage" not in changes and changes.count("RunInstances") == 1, changes
    assert result["version"] == its["bakeline:version"]
    [released] = catalog.images()
    assert (released["ImageId"], tags(released)["bakeline:state"]) == (ident, "released")
    assert "bakeline:expires" not in tags(released)
    assert catalog.latest("base") == ident
    after = list_cloud(sandbox)
    assert {kind: after[kind] for kind in TEMPORARY} == {kind: before[kind] for kind in TEMPORARY}
