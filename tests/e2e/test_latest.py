"""`latest` prints an AMI that can be used, or nothing: the SSM parameter alone is not believed. boto3 makes and judges the AMIs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.hosts import HERE, Fleet
from support.run import HANG, REPO, Done, until
from support.sandbox import Sandbox

LATER = "Test=2026-01-21T00:00:00Z"


@pytest.fixture
def fleet(box: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    box.reset()
    catalog = Catalog(box, tmp_path / "lookup", "lookup")
    catalog.image("base", source=VENDOR)
    yield Fleet(box, catalog)


def publish(fleet: Fleet, ami: str) -> None:
    name = f"/bakeline/{fleet.catalog.name}/base/Test/x86_64"
    fleet.box.client("ssm").put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)


def both(fleet: Fleet) -> tuple[Done, Done]:
    """The two forms of the lookup, with and without a checkout."""
    words = ("latest", "base", "--env", "Test")
    plain, as_json = fleet.catalog.bakeline(*words), fleet.catalog.bakeline(*words, "--json")
    outside = fleet.catalog.bakeline(*words, "--catalog", fleet.catalog.name, "--region", fleet.box.region)
    assert (outside.code, outside.out) == (plain.code, plain.out), outside
    assert plain.code == as_json.code, (plain, as_json)
    return plain, as_json


def deregister(fleet: Fleet, ami: str) -> str:
    fleet.box.client("ec2").deregister_image(ImageId=ami)
    return "does not exist"


def disable(fleet: Fleet, ami: str) -> str:
    fleet.box.client("ec2").disable_image(ImageId=ami)
    return "is disabled"


def tagged(key: str, value: str, says: str) -> Callable[[Fleet, str], str]:
    def act(fleet: Fleet, ami: str) -> str:
        fleet.box.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value}])
        return says

    return act


UNUSABLE = {
    "deregistered": deregister,
    "disabled": disable,
    "revoked": tagged("bakeline:state", "revoked", "is revoked"),
    "retiring": tagged("bakeline:state", "retiring", "is retiring"),
    "candidate": tagged("bakeline:state", "candidate", "is candidate"),
    "copied by hand": tagged("bakeline:self", "ami-00000000000000009", "was not made by this catalog"),
    "of another image": tagged("bakeline:image", "other", "was not made by this catalog"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_ami_is_not_printed(fleet: Fleet, case: str) -> None:
    ami = fleet.add("base", 20, {"bakeline:current": HERE})
    publish(fleet, ami)
    plain, as_json = both(fleet)
    assert plain.code == 0 and plain.out == f"{ami}\n" and json.loads(as_json.out)["ami"] == ami, plain
    says = UNUSABLE[case](fleet, ami)
    plain, as_json = both(fleet)
    assert plain.code == 6 and plain.out == "" and as_json.out == "", (plain, as_json)
    assert ami in plain.err and says in plain.err and "doctor" in plain.err, plain
    # The tags of another version say that it is current: the parameter is behind.
    good = fleet.add("base", 19, {"bakeline:current": LATER})
    plain, as_json = both(fleet)
    assert plain.code == 0 and plain.out == f"{good}\n" and json.loads(as_json.out)["ami"] == good, plain
    assert ami in plain.err and "warning" in plain.err, plain


def test_parameter_and_amis_are_read_at_the_same_time(fleet: Fleet) -> None:
    ami = fleet.add("base", 20, {"bakeline:current": HERE})
    publish(fleet, ami)
    stalls = [{"action": action, "delay": HANG} for action in ("GetParameter", "DescribeImages")]
    fleet.box.control("faults", {"faults": stalls})
    mark, started = fleet.box.mark(), fleet.catalog.start("latest", "base", "--env", "Test")
    try:
        until(lambda: len(fleet.box.control("faults")["held"]) == 2, HANG, "both requests under way")
    finally:
        fleet.box.control("faults", {"faults": []})
        assert started.wait(timeout=HANG) == 0
    assert (fleet.catalog.at / "out.log").read_text() == f"{ami}\n"
    assert sorted(call["action"] for call in fleet.box.api(mark)) == ["DescribeImages", "GetParameter"]


def documented(fleet: Fleet, env: str) -> list[str]:
    """What the commands for other tools in the README print, each run by awscli in a shell."""
    [block] = re.findall(r"```sh\n(aws ssm get-parameter .*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    block = block.replace("CATALOG", fleet.catalog.name).replace("IMAGE", "base").replace("ENV", env)
    commands = block.replace("\\\n", " ").strip().splitlines()
    assert len(commands) == 2, commands
    path = {"PATH": f"{REPO / '.venv/bin'}:{fleet.box.env['PATH']}"}
    run = lambda command: subprocess.run(
        ["sh", "-c", command], env={**fleet.box.env, **path}, capture_output=True, text=True, check=False
    )
    return [run(command).stdout.strip() for command in commands]


def test_documented_lookups_find_the_current_ami(fleet: Fleet) -> None:
    """After a promotion of the newer version, the older one still has the tag Environment."""
    fleet.add("base", 18, {"Environment": "Prod"})
    ami = fleet.add("base", 19, {"Environment": "Prod", "bakeline:current": "Prod=2026-01-20T00:00:00Z " + LATER})
    fleet.add("other", 19, {"bakeline:current": HERE})
    ssm = fleet.box.client("ssm")
    for env in ("Test", "Prod"):
        ssm.put_parameter(Name=f"/bakeline/{fleet.catalog.name}/base/{env}/x86_64", Value=ami, Type="String")
        assert documented(fleet, env) == [ami, ami], env
    assert documented(fleet, "Stage") == ["", ""]
    fleet.box.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": "bakeline:state", "Value": "revoked"}])
    assert documented(fleet, "Prod")[1] == ""
