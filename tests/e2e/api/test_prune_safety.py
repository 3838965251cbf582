"""Cases in which other cleanup tools delete needed AMIs (from the issues of cloud-custodian, aws-amicleaner and others).

The AMIs are made by the sandbox, with the tags a release would set; boto3 lists the AMIs before and after prune. Each test then
removes its trap, and prune must delete the AMI.
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
from support.catalog import VENDOR, Catalog, tags
from support.run import HANG
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

PRUNE_IMMEDIATELY = {
    "retention": {"keep": 1, "disable_after": "0s", "deregister_after": "0s"},
    "brakes": {"percent": 100},
}


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "traps", "traps", **PRUNE_IMMEDIATELY)
    catalog.image("base", source=VENDOR)
    catalog.image("web", parent="base")
    seeded = SeededAmis(sandbox, catalog)
    seeded.add("base", 20, {"bakeline:current": HERE})
    seeded.add("web", 20, {"bakeline:current": HERE, "bakeline:parent": "base@20260120.1"})
    yield seeded


Trap = Callable[[Any, str], tuple[str, Callable[[], Any]]]


def create_template(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Creates a launch template that no group uses. Its first version names the AMI, its newest version another one."""
    ec2 = sandbox.client("ec2")
    made = ec2.create_launch_template(LaunchTemplateName="lambda-uses-it", LaunchTemplateData={"ImageId": ami})
    ec2.create_launch_template_version(
        LaunchTemplateName="lambda-uses-it", LaunchTemplateData={"ImageId": "ami-00000000000000001"}
    )
    delete_reference = lambda: ec2.delete_launch_template(LaunchTemplateName="lambda-uses-it")
    return made["LaunchTemplate"]["LaunchTemplateId"], delete_reference


def create_group(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Creates an Auto Scaling group without instances that uses a template."""
    ec2, scaling = sandbox.client("ec2"), sandbox.client("autoscaling")
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

    def delete_reference() -> None:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="asleep", ForceDelete=True)
        ec2.delete_launch_template(LaunchTemplateName="group")

    return made["LaunchTemplate"]["LaunchTemplateId"], delete_reference


def create_configuration(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Creates a launch configuration and a group without instances that uses it."""
    scaling, zone = sandbox.client("autoscaling"), f"{sandbox.region}a"
    scaling.create_launch_configuration(LaunchConfigurationName="old & done", ImageId=ami, InstanceType="t3.small")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="forgotten",
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=0,
        AvailabilityZones=[zone],
        LaunchConfigurationName="old & done",
    )

    def delete_reference() -> None:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="forgotten", ForceDelete=True)
        scaling.delete_launch_configuration(LaunchConfigurationName="old & done")

    return "launch-configuration old & done", delete_reference


def create_parameter(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name="/team/ami", Value=ami, Type="String")
    return "/team/ami", lambda: ssm.delete_parameter(Name="/team/ami")


def create_parameter_lists(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Creates a parameter with a list, and one with JSON, that contain the AMI ID."""
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name="/team/amis", Value=f"ami-00000000000000009,{ami}", Type="StringList")
    ssm.put_parameter(Name="/team/map", Value=json.dumps({sandbox.region: {"web": ami}}), Type="String")
    return f"/team/amis in {sandbox.region}, parameter /team/map", lambda: ssm.delete_parameters(
        Names=["/team/amis", "/team/map"]
    )


def protect_ami(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ec2 = sandbox.client("ec2")
    ec2.enable_image_deregistration_protection(ImageId=ami)
    return "protected from deregistration", lambda: ec2.disable_image_deregistration_protection(ImageId=ami)


def disable_ami(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    ec2 = sandbox.client("ec2")
    ec2.disable_image(ImageId=ami)
    return "disabled, but not by bakeline", lambda: ec2.enable_image(ImageId=ami)


def record_launch(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Records a launch at the present time, without an instance."""
    import datetime

    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sandbox.control("launched", {"image": ami, "time": now})
    return "launched", lambda: sandbox.control("launched", {"image": ami, "time": None})


def create_child(sandbox: Sandbox, ami: str) -> tuple[str, Callable[[], Any]]:
    """Makes the current `web` AMI a child of `base@20260110.1`, the tested AMI."""
    ec2, web = sandbox.client("ec2"), "ami-00000000000000002"
    before = tags(ec2.describe_images(ImageIds=[web])["Images"][0])["bakeline:parent"]
    tag = lambda value: ec2.create_tags(Resources=[web], Tags=[{"Key": "bakeline:parent", "Value": value}])
    tag("base@20260110.1")
    return "layer parent of web@20260120.1", lambda: tag(before)


@pytest.mark.parametrize(
    "trap",
    [
        create_template,
        create_group,
        create_configuration,
        create_parameter,
        create_parameter_lists,
        protect_ami,
        disable_ami,
        record_launch,
        create_child,
    ],
    ids=lambda t: t.__name__,
)
def test_protecting_fact_keeps_ami(seeded: SeededAmis, trap: Trap) -> None:
    old = seeded.add("base", 10)
    assert old in seeded.amis_by_id() and seeded.prune_decision(old)[0] == "goes", seeded.prune_decision(old)
    reason, remove_trap = trap(seeded.sandbox, old)
    verdict, because = seeded.prune_decision(old)
    assert verdict == "stays" and reason in because, (verdict, because)
    before = seeded.amis_by_id()
    shown = seeded.catalog.bakeline("prune", "--apply", want=0)
    assert seeded.amis_by_id() == before and reason in shown.words, shown
    remove_trap()
    assert seeded.prune_decision(old)[0] == "goes", seeded.prune_decision(old)
    shown = seeded.catalog.bakeline("prune", "--apply", want=0)
    assert set(before) - set(seeded.amis_by_id()) == {old}, shown
    snapshots = seeded.sandbox.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    gone = before[old]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert gone not in [one["SnapshotId"] for one in snapshots]


def test_shared_ami_is_only_deprecated(seeded: SeededAmis) -> None:
    old = seeded.add("base", 10, shared=["210987654321"])
    ec2 = seeded.sandbox.client("ec2")
    seen = ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"]
    assert seen == [{"UserId": "210987654321"}]
    seeded.catalog.bakeline("prune", "--apply", want=0)
    [now] = ec2.describe_images(ImageIds=[old])["Images"]
    assert now["State"] == "available" and now["DeprecationTime"] and tags(now)["bakeline:state"] == "retiring"
    assert ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"] == seen
    shown = seeded.catalog.bakeline("prune", "--apply", want=0)
    assert "--shared-ok" in shown.out and seeded.amis_by_id()[old]["State"] == "available"
    seeded.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert old not in seeded.amis_by_id()


def test_prune_ignores_manual_copies_and_similar_names(seeded: SeededAmis) -> None:
    ec2, region = seeded.sandbox.client("ec2"), seeded.sandbox.region
    old = seeded.add("base", 10)
    copy = ec2.copy_image(Name="mine", SourceImageId=old, SourceRegion=region, CopyImageTags=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    named = seeded.add("base", 9, {"bakeline:self": "", "bakeline:catalog": "", "bakeline:schema": ""})
    assert tags(seeded.amis_by_id()[copy])["bakeline:self"] == old
    before = seeded.amis_by_id()
    shown = seeded.catalog.bakeline("prune", "--apply", want=0)
    assert f"ignored: {copy}" in shown.err, shown
    assert set(before) - set(seeded.amis_by_id()) == {old} and {copy, named} < set(seeded.amis_by_id())
    assert [seeded.amis_by_id()[one] for one in (copy, named)] == [before[one] for one in (copy, named)]


def test_retirement_and_restore(seeded: SeededAmis) -> None:
    """Restore returns permissions, deprecation, state and Environment to their former values."""
    waits = {"retention": {"keep": 1, "disable_after": "1s", "deregister_after": "9w"}, "brakes": {"percent": 100}}
    settings = json.loads((seeded.catalog.at / "bakeline.yaml").read_text())
    seeded.catalog.file("bakeline.yaml", json.dumps({**settings, **waits}))
    old = seeded.add("base", 10, shared=["210987654321", "all"])
    ec2 = seeded.sandbox.client("ec2")
    who = lambda: ec2.describe_image_attribute(ImageId=old, Attribute="launchPermission")["LaunchPermissions"]
    before, permitted = seeded.amis_by_id()[old], who()
    assert len(permitted) == 2 and "DeprecationTime" not in before
    seeded.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert seeded.amis_by_id()[old]["State"] == "available" and "DeprecationTime" in seeded.amis_by_id()[old]
    time.sleep(2)
    seeded.catalog.bakeline("prune", "--apply", "--shared-ok", want=0)
    assert seeded.amis_by_id()[old]["State"] == "disabled"
    done = seeded.catalog.bakeline("restore", old, want=0)
    now = seeded.amis_by_id()[old]
    assert now["State"] == "available" and "DeprecationTime" not in now and tags(now) == tags(before), done
    assert sorted(map(str, who())) == sorted(map(str, permitted))
    assert seeded.catalog.bakeline("restore", old, want=0).err.count("nothing to do") == 1
    seeded.catalog.bakeline("restore", "ami-0123456789abcdef0", want=6)


def test_reviewed_prune_is_exact_or_refused(seeded: SeededAmis) -> None:
    one, two = seeded.add("base", 10), seeded.add("base", 11)
    seeded.catalog.bakeline("prune", "--save", "reviewed.json", want=0)
    before = seeded.amis_by_id()
    ec2 = seeded.sandbox.client("ec2")
    ec2.enable_image_deregistration_protection(ImageId=two)
    refused = seeded.catalog.bakeline("prune", "--apply", "reviewed.json", want=7)
    assert two in refused.err and "protected" in refused.err and set(seeded.amis_by_id()) == set(before), refused
    ec2.disable_image_deregistration_protection(ImageId=two)
    over_limit = seeded.catalog.bakeline("prune", "--apply", "reviewed.json", "--most", "1", want=7)
    assert "--most 2" in over_limit.err and set(seeded.amis_by_id()) == set(before), over_limit
    seeded.catalog.bakeline("prune", "--apply", "reviewed.json", want=0)
    assert set(before) - set(seeded.amis_by_id()) == {one, two}
    [run] = sorted(seeded.catalog.runs())[-1:]
    assert {ami["status"] for ami in json.loads((run / "result.json").read_text())["amis"]} == {"done"}
    seeded.catalog.file(
        "other.json", (seeded.catalog.at / "reviewed.json").read_text().replace('"catalog": "traps"', '"catalog": "x"')
    )
    assert "catalog `x`" in seeded.catalog.bakeline("prune", "--apply", "other.json", want=1).err


def test_snapshot_is_deleted_after_failed_attempt(seeded: SeededAmis) -> None:
    old = seeded.add("base", 10)
    snapshot = seeded.amis_by_id()[old]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    seeded.sandbox.control("snapshots", {"code": "internal-error", "id": old})
    seeded.catalog.bakeline("prune", "--apply", want=0)
    left = [
        one["SnapshotId"] for one in seeded.sandbox.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    ]
    assert old not in seeded.amis_by_id() and snapshot not in left


def test_ami_that_is_unavailable_for_a_while_keeps_its_snapshots_until_it_is_deregistered(seeded: SeededAmis) -> None:
    """`InvalidAMIID.Unavailable` means that the AMI exists. Its snapshots must stay as long as it does."""
    old = seeded.add("base", 10)
    busy = {"action": "DeregisterImage", "code": "InvalidAMIID.Unavailable", "status": 400, "times": 2}
    seeded.sandbox.control("faults", {"faults": [busy]})
    mark = seeded.sandbox.mark()
    seeded.catalog.bakeline("prune", "--apply", want=0)
    ends = [call for call in seeded.sandbox.api(mark) if call["action"] in ("DeregisterImage", "DeleteSnapshot")]
    assert [(call["action"], call["status"]) for call in ends[:3]] == [
        ("DeregisterImage", 400),
        ("DeregisterImage", 400),
        ("DeregisterImage", 200),
    ], ends
    assert old not in seeded.amis_by_id()


def test_orphaned_image_stays_until_retired(seeded: SeededAmis) -> None:
    new, old = seeded.add("gone", 12, {"bakeline:current": HERE}), seeded.add("gone", 11)
    name = f"/bakeline/{seeded.catalog.name}/gone/Test/x86_64"
    ssm = seeded.sandbox.client("ssm")
    ssm.put_parameter(Name=name, Value=new, Type="String")
    verdict, because = seeded.prune_decision(old)
    assert verdict == "stays" and "bakeline retire gone" in because
    before = seeded.amis_by_id()
    seeded.catalog.bakeline("prune", "--apply", want=0)
    assert set(seeded.amis_by_id()) == set(before)
    seeded.catalog.bakeline("retire", "web", want=7)
    seeded.catalog.bakeline("retire", "nothing", want=6)
    assert "--apply" in seeded.catalog.bakeline("retire", "gone", want=0).err and set(seeded.amis_by_id()) == set(
        before
    )
    seeded.catalog.bakeline("retire", "gone", "--apply", want=0)
    assert set(before) - set(seeded.amis_by_id()) == {old, new}
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name)


CUSTODIAN = os.environ.get("CUSTODIAN") or shutil.which("custodian")


@pytest.mark.skipif(
    not CUSTODIAN,
    reason="cloud-custodian is not installed: run `pip install c7n`, or set CUSTODIAN to the path of the program",
)
def test_cloud_custodian_would_remove_a_needed_ami(seeded: SeededAmis, tmp_path: Path) -> None:
    """Runs its policy for unused images as a dry run in the same account."""
    traps = [create_parameter, record_launch, create_child]
    victims = {}
    for trap in traps:
        old = seeded.add("base", 10) if trap is create_child else seeded.add("base", len(victims) + 3)
        says, _ = trap(seeded.sandbox, old)
        victims[old] = says
    for old, says in victims.items():
        verdict, because = seeded.prune_decision(old)
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
    command = [CUSTODIAN, "run", "--dryrun", "-s", str(tmp_path / "out"), "-r", seeded.sandbox.region, str(file)]
    ran = subprocess.run(command, env=seeded.sandbox.env, capture_output=True, text=True, check=False, timeout=HANG)
    found = list((tmp_path / "out").rglob("resources.json"))
    assert found, ran.stderr
    would = {one["ImageId"] for one in json.loads(found[0].read_text())}
    taken = {old: says for old, says in victims.items() if old in would}
    print("cloud-custodian would deregister:", taken)
    assert taken, (would, victims, ran.stderr)
