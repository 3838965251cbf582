"""A release without capacity uses another instance type, and keeps its AMI if no instance can boot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import GONE
from support.run import HANG, wait_until
from support.sandbox import Sandbox

FIRST, SECOND = "t3.small", "t3a.small"


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    builder = {"instance_types": [FIRST, SECOND]}
    made = Catalog(sandbox, tmp_path_factory.mktemp("scarce"), "scarce", builder=builder)
    made.image("web", source=VENDOR)
    try:
        yield made
    finally:
        sandbox.control("capacity", {})


def running_types(sandbox: Sandbox) -> list[str]:
    """Returns the instance types of all instances that have not ended."""
    found = sandbox.client("ec2").describe_instances()["Reservations"]
    instances = [one for group in found for one in group["Instances"]]
    return [one["InstanceType"] for one in instances if one["State"]["Name"] not in GONE]


def actions(sandbox: Sandbox, mark: int) -> list[str]:
    return [call["action"] for call in sandbox.api(mark)]


def test_release_uses_other_type_and_next_release_checks_candidate(sandbox: Sandbox, catalog: Catalog) -> None:
    sandbox.control("capacity", {"refuse": [{"instance_type": FIRST}]})
    release = catalog.start("release")
    wait_until(lambda: SECOND in running_types(sandbox), HANG, "the build instance of the second type")
    sandbox.control("capacity", {"refuse": [{}]})
    code, said = release.wait(timeout=HANG), (catalog.at / "out.log").read_text()
    assert code == 4, said
    assert running_types(sandbox) == [], said
    [candidate] = catalog.images()
    ami, state = candidate["ImageId"], tags(candidate)
    assert (state["bakeline:state"], state["bakeline:kept"]) == ("candidate", "until its boot checks"), said
    assert f"kept: candidate {ami}" in said and f"trying {SECOND}" in said, said
    assert catalog.bakeline("latest", "web", "--env", "Test").code == 6
    ec2 = sandbox.client("ec2")
    mine = [{"Name": "tag:bakeline:catalog", "Values": [catalog.name]}]
    assert ec2.describe_key_pairs(Filters=mine)["KeyPairs"] == []
    assert ec2.describe_security_groups(Filters=mine)["SecurityGroups"] == []

    sandbox.control("capacity", {"refuse": [{"instance_type": FIRST}]})
    swept = json.loads(catalog.bakeline("sweep", "--json", want=0).out)
    assert [(one["thing"]["id"], one["remove"]) for one in swept] == [(ami, False)], swept
    plan = json.loads(catalog.bakeline("plan", "--json", want=0).out)
    [decision] = plan["decisions"]
    assert decision["verdict"] == "resume" and "check the candidate of run" in decision["reasons"][0]

    mark = sandbox.mark()
    result = catalog.release()["web"]
    assert (result["status"], result["ami"]) == ("released", ami), catalog.last
    assert "CreateImage" not in actions(sandbox, mark), "no second build"
    [released] = catalog.images()
    state = tags(released)
    assert (released["ImageId"], state["bakeline:state"]) == (ami, "released")
    assert "bakeline:kept" not in state and "bakeline:expires" not in state
    assert catalog.latest("web") == ami and running_types(sandbox) == []
    stored = [path.name for path in Path(catalog.at).rglob(f"*/{state['bakeline:version']}/*.json")]
    assert sorted(stored) == ["facts-build.json", "facts.json", "recipe.json"], stored
