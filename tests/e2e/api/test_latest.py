"""`latest` prints a usable AMI or nothing; the SSM parameter alone is not trusted. boto3 creates and judges the AMIs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.run import HANG, CompletedRun, wait_until
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

LATER = "Test=2026-01-21T00:00:00Z"


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "lookup", "lookup")
    catalog.image("base", source=VENDOR)
    yield SeededAmis(sandbox, catalog)


def publish_ami(seeded: SeededAmis, ami: str) -> None:
    name = f"/bakeline/{seeded.catalog.name}/base/Test/x86_64"
    seeded.sandbox.client("ssm").put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)


def run_both_forms(seeded: SeededAmis) -> tuple[CompletedRun, CompletedRun]:
    """Runs both forms of the lookup, with and without a checkout."""
    words = ("latest", "base", "--env", "Test")
    plain, as_json = seeded.catalog.bakeline(*words), seeded.catalog.bakeline(*words, "--json")
    outside = seeded.catalog.bakeline(*words, "--catalog", seeded.catalog.name, "--region", seeded.sandbox.region)
    assert (outside.code, outside.out) == (plain.code, plain.out), outside
    assert plain.code == as_json.code, (plain, as_json)
    return plain, as_json


def deregister_ami(seeded: SeededAmis, ami: str) -> str:
    seeded.sandbox.client("ec2").deregister_image(ImageId=ami)
    return "does not exist"


def disable_ami(seeded: SeededAmis, ami: str) -> str:
    seeded.sandbox.client("ec2").disable_image(ImageId=ami)
    return "is disabled"


def tag_ami(key: str, value: str, says: str) -> Callable[[SeededAmis, str], str]:
    def act(seeded: SeededAmis, ami: str) -> str:
        seeded.sandbox.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value}])
        return says

    return act


UNUSABLE = {
    "deregistered": deregister_ami,
    "disabled": disable_ami,
    "revoked": tag_ami("bakeline:state", "revoked", "is revoked"),
    "retiring": tag_ami("bakeline:state", "retiring", "is retiring"),
    "candidate": tag_ami("bakeline:state", "candidate", "is candidate"),
    "copied by hand": tag_ami("bakeline:self", "ami-00000000000000009", "was not created by this catalog"),
    "of another image": tag_ami("bakeline:image", "other", "was not created by this catalog"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_ami_is_not_printed(seeded: SeededAmis, case: str) -> None:
    ami = seeded.add("base", 20, {"bakeline:current": HERE})
    publish_ami(seeded, ami)
    plain, as_json = run_both_forms(seeded)
    assert plain.code == 0 and plain.out == f"{ami}\n" and json.loads(as_json.out)["ami"] == ami, plain
    says = UNUSABLE[case](seeded, ami)
    plain, as_json = run_both_forms(seeded)
    assert plain.code == 6 and plain.out == "" and as_json.out == "", (plain, as_json)
    assert ami in plain.err and says in plain.err and "doctor" in plain.err, plain
    # The tags of another version say that it is current: the parameter is behind.
    good = seeded.add("base", 19, {"bakeline:current": LATER})
    plain, as_json = run_both_forms(seeded)
    assert plain.code == 0 and plain.out == f"{good}\n" and json.loads(as_json.out)["ami"] == good, plain
    assert ami in plain.err and "warning" in plain.err, plain


def test_parameter_and_amis_are_read_at_the_same_time(seeded: SeededAmis) -> None:
    ami = seeded.add("base", 20, {"bakeline:current": HERE})
    publish_ami(seeded, ami)
    stalls = [{"action": action, "delay": HANG} for action in ("GetParameter", "DescribeImages")]
    seeded.sandbox.control("faults", {"faults": stalls})
    mark, started = seeded.sandbox.mark(), seeded.catalog.start("latest", "base", "--env", "Test")
    try:
        wait_until(lambda: len(seeded.sandbox.control("faults")["held"]) == 2, HANG, "both requests under way")
    finally:
        seeded.sandbox.control("faults", {"faults": []})
        assert started.wait(timeout=HANG) == 0
    assert (seeded.catalog.at / "out.log").read_text() == f"{ami}\n"
    assert sorted(call["action"] for call in seeded.sandbox.api(mark)) == ["DescribeImages", "GetParameter"]


LISTED = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>one</requestId><imagesSet><item>
<imageId>ami-00000000000000001</imageId><imageOwnerId>123456789012</imageOwnerId><imageState>{state}</imageState>
<name>lookup/base/x86_64/20260110.1-r</name><architecture>x86_64</architecture><tagSet>{tags}</tagSet>
</item></imagesSet></DescribeImagesResponse>"""


@pytest.mark.parametrize("state", ["available", "deregistered"])
def test_deregistered_ami_that_ec2_still_lists_is_ignored(seeded: SeededAmis, state: str) -> None:
    """EC2 lists a deregistered AMI for a while. The body is the answer of EC2, written by hand."""
    ami = seeded.add("base", 10, {"bakeline:current": HERE})
    publish_ami(seeded, ami)
    [found] = seeded.sandbox.client("ec2").describe_images(ImageIds=[ami])["Images"]
    pairs = "".join(f"<item><key>{t['Key']}</key><value>{t['Value']}</value></item>" for t in found["Tags"])
    body = LISTED.format(state=state, tags=pairs)
    fault = {"action": "DescribeImages", "status": 200, "body": body, "times": 10}
    seeded.sandbox.control("faults", {"faults": [fault]})
    try:
        listed = json.loads(seeded.catalog.bakeline("list", "--json", want=0).out)
        assert [one["ami"] for one in listed] == ([ami] if state == "available" else [])
        seeded.catalog.bakeline("latest", "base", "--env", "Test", want=0 if state == "available" else 6)
    finally:
        seeded.sandbox.control("faults", {"faults": []})


def test_list_shows_that_an_ami_is_disabled(seeded: SeededAmis) -> None:
    ami = seeded.add("base", 10, {"bakeline:current": HERE})
    assert "disabled" not in seeded.catalog.bakeline("list", want=0).out
    disable_ami(seeded, ami)
    assert "released (disabled)" in seeded.catalog.bakeline("list", want=0).out
    [told] = json.loads(seeded.catalog.bakeline("list", "--json", want=0).out)
    assert (told["state"], told["status"]) == ("released", "disabled")


def test_log_lines_in_a_file_have_no_escape_sequences(seeded: SeededAmis) -> None:
    done = seeded.catalog.bakeline("list", env={"BAKELINE_LOG": "debug"}, want=0)
    assert "DEBUG" in done.err and "\x1b" not in done.err, done.err[:500]


def test_plan_warns_of_versions_in_the_future(seeded: SeededAmis) -> None:
    seeded.add("base", 10)
    assert "ahead of the clock" not in seeded.catalog.bakeline("plan").err
    seeded.add("base", 11, {"bakeline:version": "20990101.1"})
    warned = seeded.catalog.bakeline("plan").err
    assert "the newest version of `base` is 20990101.1" in warned and "ahead of the clock" in warned, warned
