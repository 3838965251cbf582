"""The traps in which other clean-up tools delete what is needed (reference: cloud-custodian's, aws-amicleaner's and others' issues).

The AMIs are made by the sandbox, with the tags a release would set; boto3 judges what is there before and after. For each trap
the trap is taken away once: then prune lets the AMI go, so it was the trap that held it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judge.catalog import VENDOR, Catalog, tags
from judge.fleet import HERE, Fleet
from judge.run import HANG
from judge.sandbox import Sandbox

SPOILS = {"retention": {"keep": 1, "disable_after": "0s", "deregister_after": "0s"}, "brakes": {"percent": 100}}


@pytest.fixture
def fleet(box: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    box.reset()
    catalog = Catalog(box, tmp_path / "traps", "traps", **SPOILS)
    catalog.image("base", source=VENDOR)
    catalog.image("web", parent="base")
    fleet = Fleet(box, catalog)
    fleet.add("base", 20, {"bakeline:current": HERE})
    fleet.add("web", 20, {"bakeline:current": HERE, "bakeline:parent": "base@20260120.1"})
    yield fleet


Trap = Callable[[Any, str], tuple[str, Callable[[], Any]]]


def template(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """A launch template that no group uses, and whose newest version names another AMI."""
    ec2 = box.client("ec2")
    made = ec2.create_launch_template(LaunchTemplateName="lambda-uses-it", LaunchTemplateData={"ImageId": ami})
    ec2.create_launch_template_version(
        LaunchTemplateName="lambda-uses-it", LaunchTemplateData={"ImageId": "ami-00000000000000001"}
    )
    gone = lambda: ec2.delete_launch_template(LaunchTemplateName="lambda-uses-it")
    return made["LaunchTemplate"]["LaunchTemplateId"], gone


def group(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """An Auto Scaling group of no instances, by a template."""
    ec2, scaling = box.client("ec2"), box.client("autoscaling")
    made = ec2.create_launch_template(LaunchTemplateName="group", LaunchTemplateData={"ImageId": ami})
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="asleep",
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=0,
        AvailabilityZones=[zone],
        LaunchTemplate={"LaunchTemplateName": "group", "Version": "$Default"},
    )

    def gone() -> None:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="asleep", ForceDelete=True)
        ec2.delete_launch_template(LaunchTemplateName="group")

    return made["LaunchTemplate"]["LaunchTemplateId"], gone


def configuration(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """A launch configuration of old, and a group of no instances that uses it."""
    scaling, zone = box.client("autoscaling"), f"{box.region}a"
    scaling.create_launch_configuration(LaunchConfigurationName="old & done", ImageId=ami, InstanceType="t3.small")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="forgotten",
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=0,
        AvailabilityZones=[zone],
        LaunchConfigurationName="old & done",
    )

    def gone() -> None:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="forgotten", ForceDelete=True)
        scaling.delete_launch_configuration(LaunchConfigurationName="old & done")

    return "launch-configuration old & done", gone


def parameter(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ssm = box.client("ssm")
    ssm.put_parameter(Name="/team/ami", Value=ami, Type="String")
    return "/team/ami", lambda: ssm.delete_parameter(Name="/team/ami")


def listed(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Among others in a parameter that holds a list, and in one of JSON."""
    ssm = box.client("ssm")
    ssm.put_parameter(Name="/team/amis", Value=f"ami-00000000000000009,{ami}", Type="StringList")
    ssm.put_parameter(Name="/team/map", Value=json.dumps({box.region: {"web": ami}}), Type="String")
    return "/team/amis, parameter /team/map", lambda: ssm.delete_parameters(Names=["/team/amis", "/team/map"])


def protected(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ec2 = box.client("ec2")
    ec2.enable_image_deregistration_protection(ImageId=ami)
    return "protected from deregistration", lambda: ec2.disable_image_deregistration_protection(ImageId=ami)


def disabled(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ec2 = box.client("ec2")
    ec2.disable_image(ImageId=ami)
    return "disabled outside bakeline", lambda: ec2.enable_image(ImageId=ami)


def launched(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Launched a minute ago by a job whose instance is gone."""
    import datetime

    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    box.control("launched", {"image": ami, "time": now})
    return "launched", lambda: box.control("launched", {"image": ami, "time": None})


def child(box: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """The layer parent of a child that is current."""
    ec2, web = box.client("ec2"), "ami-00000000000000002"
    before = tags(ec2.describe_images(ImageIds=[web])["Images"][0])["bakeline:parent"]
    tag = lambda value: ec2.create_tags(Resources=[web], Tags=[{"Key": "bakeline:parent", "Value": value}])
    tag("base@20260110.1")
    return "layer parent of web@20260120.1", lambda: tag(before)


@pytest.mark.parametrize(
    "trap",
    [template, group, configuration, parameter, listed, protected, disabled, launched, child],
    ids=lambda t: t.__name__,
)
def test_a_trap_keeps_and_without_it_the_ami_goes(fleet: Fleet, trap: Trap) -> None:
    old = fleet.add("base", 10)
    assert old in fleet.there() and fleet.verdict(old)[0] == "goes", fleet.verdict(old)
    says, spring = trap(fleet.box, old)
    verdict, because = fleet.verdict(old)
    assert verdict == "stays" and says in because, (verdict, because)
    before = fleet.there()
    shown = fleet.catalog.bakeline("prune", "--apply", want=0)
    assert fleet.there() == before and says in shown.out, shown
    spring()
    assert fleet.verdict(old)[0] == "goes", fleet.verdict(old)
    shown = fleet.catalog.bakeline("prune", "--apply", want=0)
    assert set(before) - set(fleet.there()) == {old}, shown
    snapshots = fleet.box.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    gone = before[old]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert gone not in [one["SnapshotId"] for one in snapshots]


def test_what_is_shared_is_deprecated_and_no_more(fleet: Fleet) -> None:
    old = fleet.add("base", 10, shared=["210987654321"])
    ec2 = fleet.box.client("ec2")
    seen = ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"]
    assert seen == [{"UserId": "210987654321"}]
    fleet.catalog.bakeline("prune", "--apply", want=0)
    [now] = ec2.describe_images(ImageIds=[old])["Images"]
    assert now["State"] == "available" and now["DeprecationTime"] and tags(now)["bakeline:state"] == "retiring"
    assert ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"] == seen
    shown = fleet.catalog.bakeline("prune", "--apply", want=0)
    assert "--shared-ok" in shown.out and fleet.there()[old]["State"] == "available"
    fleet.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert old not in fleet.there()


def test_copies_by_hand_and_things_with_our_name_are_left_alone(fleet: Fleet) -> None:
    ec2, region = fleet.box.client("ec2"), fleet.box.region
    old = fleet.add("base", 10)
    copy = ec2.copy_image(Name="mine", SourceImageId=old, SourceRegion=region, CopyImageTags=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    named = fleet.add("base", 9, {"bakeline:self": "", "bakeline:catalog": "", "bakeline:schema": ""})
    assert tags(fleet.there()[copy])["bakeline:self"] == old
    before = fleet.there()
    shown = fleet.catalog.bakeline("prune", "--apply", want=0)
    assert f"left alone: {copy}" in shown.err, shown
    assert set(before) - set(fleet.there()) == {old} and {copy, named} < set(fleet.there())
    assert [fleet.there()[one] for one in (copy, named)] == [before[one] for one in (copy, named)]


def test_the_ladder_and_the_way_back(fleet: Fleet) -> None:
    """Deprecated, disabled, restored: permissions, deprecation, state and Environment are what they were."""
    waits = {"retention": {"keep": 1, "disable_after": "1s", "deregister_after": "9w"}, "brakes": {"percent": 100}}
    settings = json.loads((fleet.catalog.at / "bakeline.yaml").read_text())
    fleet.catalog.file("bakeline.yaml", json.dumps({**settings, **waits}))
    old = fleet.add("base", 10, shared=["210987654321", "all"])
    ec2 = fleet.box.client("ec2")
    who = lambda: ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"]
    before, permitted = fleet.there()[old], who()
    assert len(permitted) == 2 and "DeprecationTime" not in before
    fleet.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert fleet.there()[old]["State"] == "available" and "DeprecationTime" in fleet.there()[old]
    time.sleep(2)
    fleet.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert fleet.there()[old]["State"] == "disabled"
    done = fleet.catalog.bakeline("restore", old, want=0)
    now = fleet.there()[old]
    assert now["State"] == "available" and "DeprecationTime" not in now and tags(now) == tags(before), done
    assert sorted(map(str, who())) == sorted(map(str, permitted))
    assert fleet.catalog.bakeline("restore", old, want=0).err.count("nothing to do") == 1
    fleet.catalog.bakeline("restore", "ami-0123456789abcdef0", want=6)


def test_a_reviewed_prune_is_done_exactly_or_not_at_all(fleet: Fleet) -> None:
    one, two = fleet.add("base", 10), fleet.add("base", 11)
    fleet.catalog.bakeline("prune", "--save", "reviewed.json", want=0)
    before = fleet.there()
    ec2 = fleet.box.client("ec2")
    ec2.enable_image_deregistration_protection(ImageId=two)
    refused = fleet.catalog.bakeline("prune", "--apply", "reviewed.json", want=7)
    assert two in refused.err and "protected" in refused.err and set(fleet.there()) == set(before), refused
    ec2.disable_image_deregistration_protection(ImageId=two)
    shy = fleet.catalog.bakeline("prune", "--apply", "reviewed.json", "--most", "1", want=7)
    assert "--most 2" in shy.err and set(fleet.there()) == set(before), shy
    fleet.catalog.bakeline("prune", "--apply", "reviewed.json", want=0)
    assert set(before) - set(fleet.there()) == {one, two}
    [run] = sorted(fleet.catalog.runs())[-1:]
    assert {ami["status"] for ami in json.loads((run / "result.json").read_text())["amis"]} == {"done"}
    fleet.catalog.file(
        "other.json", (fleet.catalog.at / "reviewed.json").read_text().replace('"catalog": "traps"', '"catalog": "x"')
    )
    assert "catalog `x`" in fleet.catalog.bakeline("prune", "--apply", "other.json", want=1).err


def test_a_snapshot_that_ec2_does_not_delete_is_deleted_or_named(fleet: Fleet) -> None:
    old = fleet.add("base", 10)
    snapshot = fleet.there()[old]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    fleet.box.control("snapshots", {"code": "internal-error", "id": old})
    fleet.catalog.bakeline("prune", "--apply", want=0)
    left = [one["SnapshotId"] for one in fleet.box.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    assert old not in fleet.there() and snapshot not in left


def test_an_orphaned_image_stays_until_it_is_retired(fleet: Fleet) -> None:
    new, old = fleet.add("gone", 12, {"bakeline:current": HERE}), fleet.add("gone", 11)
    name = f"/bakeline/{fleet.catalog.name}/gone/Test/x86_64"
    ssm = fleet.box.client("ssm")
    ssm.put_parameter(Name=name, Value=new, Type="String")
    verdict, because = fleet.verdict(old)
    assert verdict == "stays" and "bakeline retire gone" in because
    before = fleet.there()
    fleet.catalog.bakeline("prune", "--apply", want=0)
    assert set(fleet.there()) == set(before)
    fleet.catalog.bakeline("retire", "web", want=7)
    fleet.catalog.bakeline("retire", "nothing", want=6)
    assert "--apply" in fleet.catalog.bakeline("retire", "gone", want=0).err and set(fleet.there()) == set(before)
    fleet.catalog.bakeline("retire", "gone", "--apply", want=0)
    assert set(before) - set(fleet.there()) == {old, new}
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name)


CUSTODIAN = os.environ.get("CUSTODIAN") or shutil.which("custodian")


@pytest.mark.skipif(not CUSTODIAN, reason="cloud-custodian is not installed (pip install c7n; CUSTODIAN names it)")
def test_cloud_custodian_would_remove_at_least_one_of_them(fleet: Fleet, tmp_path: Path) -> None:
    """Its own policy for unused images, dry run, in the same account: what would it take?"""
    traps = [parameter, launched, child]
    victims = {}
    for trap in traps:
        old = fleet.add("base", 10) if trap is child else fleet.add("base", len(victims) + 3)
        says, _ = trap(fleet.box, old)
        victims[old] = says
    for old, says in victims.items():
        verdict, because = fleet.verdict(old)
        assert verdict == "stays" and says in because, (old, verdict, because)
    policy = {
        "name": "unused",
        "resource": "ami",
        "filters": [{"type": "unused", "value": True}],
        "actions": ["deregister"],
    }
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"policies": [policy]}))
    assert CUSTODIAN
    command = [CUSTODIAN, "run", "--dryrun", "-s", str(tmp_path / "out"), "-r", fleet.box.region, str(file)]
    ran = subprocess.run(command, env=fleet.box.env, capture_output=True, text=True, check=False, timeout=HANG)
    found = list((tmp_path / "out").rglob("resources.json"))
    assert found, ran.stderr
    would = {one["ImageId"] for one in json.loads(found[0].read_text())}
    taken = {old: says for old, says in victims.items() if old in would}
    print("cloud-custodian would deregister:", taken)
    assert taken, (would, victims, ran.stderr)
