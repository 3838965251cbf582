"""Tests references, retirement, failing copies and deletions, other accounts, and many AMIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import OTHER_ACCOUNT, REGION, Api, error_code, tag_specification, tags_of, wait_until

THIRD_ACCOUNT = "333333333333"


def list_references(ec2: Any, *images: str, **options: Any) -> set[tuple[str, str]]:
    found = ec2.describe_image_references(
        ImageIds=list(images), **(options or {"IncludeAllResourceTypes": True})
    )
    return {(one["ImageId"], one["Arn"].split(":", 4)[-1]) for one in found["ImageReferences"]}


def test_references_include_instances_templates_and_parameters(api: Api) -> None:
    ec2, (image, other, none) = (
        api.client("ec2"),
        api.add_images({"name": "one"}, {"name": "two"}, {"name": "none"}),
    )
    instance = api.run_instance(ImageId=image)
    template = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": image}
    )
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template_id, LaunchTemplateData={"ImageId": other}
    )
    ssm = api.client("ssm")
    ssm.put_parameter(Name="/a/b", Type="String", DataType="aws:ec2:image", Value=other)
    ssm.put_parameter(Name="/text", Type="String", Value=none)
    own = "123456789012:"
    assert list_references(ec2, image, other, none) == {
        (image, f"{own}instance/{instance}"),
        (image, f"{own}launch-template/{template_id}"),
        (other, f"{own}launch-template/{template_id}"),
        (other, f"{own}parameter/a/b"),
    }

    def only(kind: str, *images: str, **options: Any) -> set[tuple[str, str]]:
        listed = [
            {"OptionName": name.replace("_", "-"), "OptionValues": [v]}
            for name, v in options.items()
        ]
        return list_references(
            ec2, *images, ResourceTypes=[{"ResourceType": kind, "ResourceTypeOptions": listed}]
        )

    assert only("ec2:LaunchTemplate", image, version_depth="1") == set()
    assert only("ec2:Instance", image, state_name="running") == {
        (image, f"{own}instance/{instance}")
    }
    ec2.terminate_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "terminated")
    assert only("ec2:Instance", image, state_name="running") == set()
    assert only("ec2:Instance", image) == {(image, f"{own}instance/{instance}")}
    assert api.control("forget", {}) == {"forgotten": [instance]}
    assert (only("ec2:Instance", image), ec2.describe_instances()["Reservations"]) == (set(), [])
    for n in range(4):
        ec2.create_launch_template(
            LaunchTemplateName=f"more-{n}", LaunchTemplateData={"ImageId": image}
        )
    whole = {"ImageIds": [image, other], "IncludeAllResourceTypes": True}
    pages = list(
        ec2.get_paginator("describe_image_references").paginate(
            **whole, PaginationConfig={"PageSize": 5}
        )
    )
    assert [len(page["ImageReferences"]) for page in pages] == [5, 2]
    assert list_references(api.account_client(OTHER_ACCOUNT), image) == set()
    assert list_references(api.client("ec2", "us-east-1"), image) == set()
    wrong: list[dict[str, Any]] = [
        {"ImageIds": [f"ami-{n:017x}" for n in range(11)], "IncludeAllResourceTypes": True},
        {"ImageIds": [image], "ResourceTypes": [{"ResourceType": "ec2:Volume"}]},
    ]
    assert [error_code(ec2.describe_image_references, **one) for one in wrong] == [
        "InvalidParameterValue"
    ] * 2
    assert error_code(ec2.describe_image_references, ImageIds=[image]) == "MissingParameter"


def test_auto_scaling_groups_have_no_instances(api: Api) -> None:
    ec2, scaling, (image,) = (
        api.client("ec2"),
        api.client("autoscaling"),
        api.add_images({"name": "one"}),
    )
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image})
    scaling.create_launch_configuration(
        LaunchConfigurationName="c", ImageId=image, InstanceType="t3.micro"
    )
    group = {"MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0, "AvailabilityZones": [f"{REGION}a"]}
    template = {"LaunchTemplateName": "web", "Version": "$Latest"}
    scaling.create_auto_scaling_group(AutoScalingGroupName="one", LaunchTemplate=template, **group)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="two", LaunchConfigurationName="c", **group
    )
    one, two = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (one["LaunchTemplate"]["LaunchTemplateName"], one["DesiredCapacity"]) == ("web", 0)
    assert (two["LaunchConfigurationName"], two["Instances"]) == ("c", [])
    assert scaling.describe_launch_configurations()["LaunchConfigurations"][0]["ImageId"] == image
    full = {**group, "DesiredCapacity": 1}
    name = {"AutoScalingGroupName": "three"}
    assert (
        error_code(scaling.create_auto_scaling_group, **name, LaunchTemplate=template, **full)
        == "ValidationError"
    )
    assert (
        error_code(scaling.set_desired_capacity, AutoScalingGroupName="one", DesiredCapacity=1)
        == "ValidationError"
    )
    assert len(scaling.describe_auto_scaling_groups()["AutoScalingGroups"]) == 2
    assert (
        api.account_client(OTHER_ACCOUNT, "autoscaling").describe_auto_scaling_groups()[
            "AutoScalingGroups"
        ]
        == []
    )
    assert ec2.describe_instances()["Reservations"] == []
    scaling.delete_auto_scaling_group(AutoScalingGroupName="one")


def test_deregister_image_reports_snapshot_deletion(api: Api) -> None:
    ec2, images = api.client("ec2"), api.add_images(*[{"name": f"image-{n}"} for n in range(4)])
    below = [api.snapshot_id(image) for image in images]
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": below[0]}}]
    by_hand = ec2.register_image(
        Name="by hand",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=disk,
        TagSpecifications=[tag_specification("image", a="1")],
    )["ImageId"]
    assert (tags_of(api.describe_image(by_hand)), api.snapshot_id(by_hand)) == (
        {"a": "1"},
        below[0],
    )
    api.control("snapshots", {"id": images[2], "code": "internal-error"})
    api.control("snapshots", {"id": below[3], "code": "missing-permissions"})
    answers = [
        ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True) for image in images
    ]
    assert [answer["Return"] for answer in answers] == [True] * 4
    codes = ["skipped", "success", "internal-error", "missing-permissions"]
    assert [answer["DeleteSnapshotResults"] for answer in answers] == [
        [{"SnapshotId": one, "ReturnCode": code}] for one, code in zip(below, codes, strict=True)
    ]
    left = {one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert left == {below[0], below[2], below[3]}
    assert error_code(ec2.delete_snapshot, SnapshotId=below[0]) == "InvalidSnapshot.InUse"
    ec2.delete_snapshot(SnapshotId=below[2])
    again = ec2.register_image(Name="again", RootDeviceName="/dev/xvda", BlockDeviceMappings=disk)[
        "ImageId"
    ]
    ec2.deregister_image(ImageId=again)
    assert error_code(ec2.delete_snapshot, SnapshotId=below[0]) == "InvalidSnapshot.InUse"
    answer = ec2.deregister_image(ImageId=by_hand, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": below[0], "ReturnCode": "success"}]
    assert (
        error_code(ec2.register_image, Name="once more", BlockDeviceMappings=disk)
        == "InvalidSnapshot.NotFound"
    )


def test_protection_with_cooldown_lasts_a_day(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    assert api.describe_image(image)["DeregistrationProtection"] == "enabled-with-cooldown"
    ec2.disable_image_deregistration_protection(ImageId=image)
    assert error_code(ec2.deregister_image, ImageId=image) == "OperationNotPermitted"
    api.control("backdate", {"image": image, "days": 2})
    ec2.deregister_image(ImageId=image)


def test_copies_take_time_and_fail_as_planned(api: Api) -> None:
    there, (image,) = (
        api.client("ec2", "us-east-1"),
        api.add_images({"name": "one", "tags": {"a": "1"}}),
    )
    api.control("copies", {"seconds": 2, "fail": "out of disks", "region": "us-east-1"})
    here = api.client("ec2").copy_image(Name="here", SourceImageId=image, SourceRegion=REGION)[
        "ImageId"
    ]
    options = {"SourceImageId": image, "SourceRegion": REGION, "ClientToken": "x"}
    late = there.copy_image(Name="late", **options)["ImageId"]
    assert there.copy_image(Name="late", **options)["ImageId"] == late
    assert error_code(there.copy_image, Name="other", **options) == "IdempotentParameterMismatch"
    assert (
        error_code(there.copy_image, **{**options, "ClientToken": "y"}, Name="late")
        == "InvalidAMIName.Duplicate"
    )
    assert api.describe_image(late, "us-east-1")["State"] == "pending"
    assert (
        error_code(there.run_instances, ImageId=late, MinCount=1, MaxCount=1)
        == "InvalidAMIID.Unavailable"
    )
    wait_until(lambda: api.describe_image(here)["State"] == "available")
    assert api.describe_image(late, "us-east-1")["State"] == "pending"
    wait_until(lambda: api.describe_image(late, "us-east-1")["State"] == "failed")
    found = api.describe_image(late, "us-east-1")
    assert found["StateReason"]["Message"] == "out of disks"
    below = there.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]
    assert (below["State"], late in below["Description"], image in below["Description"]) == (
        "error",
        True,
        True,
    )
    again = there.copy_image(Name="again", SourceImageId=image, SourceRegion=REGION)["ImageId"]
    wait_until(lambda: api.describe_image(again, "us-east-1")["State"] == "available")


def test_backdate_makes_deprecation_effective(api: Api) -> None:
    ec2, (image,) = (
        api.client("ec2"),
        api.add_images(
            {"name": "one", "created": "2026-01-31T12:00:00Z", "shared": [OTHER_ACCOUNT]}
        ),
    )
    other, at = api.account_client(OTHER_ACCOUNT), datetime.now(UTC) + timedelta(hours=1)
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=at)
    assert len(other.describe_images(ExecutableUsers=["self"])["Images"]) == 1
    was = api.describe_image(image)
    assert was["CreationDate"] == "2026-01-31T12:00:00.000Z"
    api.control("launched", {"image": image, "time": "2026-02-03T00:00:00Z"})
    assert api.describe_image(image)["LastLaunchedTime"] == "2026-02-03T00:00:00.000Z"
    shown = api.control("backdate", {"image": image, "days": 3})
    now = api.describe_image(image)
    assert (now["CreationDate"], now["LastLaunchedTime"]) == (
        "2026-01-28T12:00:00.000Z",
        "2026-01-31T00:00:00.000Z",
    )
    assert shown["deprecation_time"] == now["DeprecationTime"] < was["DeprecationTime"]
    assert other.describe_images(ExecutableUsers=["self"])["Images"] == []
    assert (
        len(other.describe_images(ExecutableUsers=["self"], IncludeDeprecated=True)["Images"]) == 1
    )
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    ec2.disable_image(ImageId=image)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert len(ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]) == 1
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    (public,) = api.add_images({"name": "public", "shared": ["all"]})
    late = {"ImageId": public, "DeprecateAt": datetime.now(UTC) + timedelta(days=800)}
    assert error_code(ec2.enable_image_deprecation, **late) == "InvalidParameterValue"


def test_backdate_changes_dates_of_temporary_resources(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    key = ec2.create_key_pair(KeyName="packer_1")
    volume = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
    below = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    for name in (instance, "packer_1", volume, below):
        api.control("backdate", {"id": name, "days": 7})
    dates = [
        ec2.describe_instances()["Reservations"][0]["Instances"][0]["LaunchTime"],
        ec2.describe_key_pairs(KeyPairIds=[key["KeyPairId"]])["KeyPairs"][0]["CreateTime"],
        ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["CreateTime"],
        ec2.describe_snapshots(SnapshotIds=[below])["Snapshots"][0]["StartTime"],
    ]
    for date in dates:
        assert abs(datetime.now(UTC) - timedelta(days=7) - date) < timedelta(minutes=1)
    with pytest.raises(Exception, match="400"):
        api.control("backdate", {"id": "none", "days": 7})


def test_tag_filters_work_for_all_resource_types(api: Api) -> None:
    ec2 = api.client("ec2")
    tagged = {"run": "r1", "bakeline:expires": "", "odd": "a*b"}
    group = ec2.create_security_group(
        GroupName="g",
        Description="d",
        TagSpecifications=[tag_specification("security-group", **tagged)],
    )["GroupId"]
    key = ec2.create_key_pair(
        KeyName="k", TagSpecifications=[tag_specification("key-pair", **tagged)]
    )["KeyPairId"]
    volume = ec2.create_volume(
        Size=1,
        AvailabilityZone=f"{REGION}a",
        TagSpecifications=[tag_specification("volume", **tagged)],
    )
    below = ec2.create_snapshot(
        VolumeId=volume["VolumeId"], TagSpecifications=[tag_specification("snapshot", **tagged)]
    )
    instance = api.run_instance(TagSpecifications=[tag_specification("instance", **tagged)])
    (image,) = api.add_images({"name": "one", "tags": tagged})
    ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")
    ec2.create_key_pair(KeyName="other")

    def listed(wanted: list[dict[str, Any]]) -> set[str]:
        reservations = ec2.describe_instances(Filters=wanted)["Reservations"]
        owned = {"OwnerIds": ["self"], "Filters": wanted}
        return {
            *(i["InstanceId"] for reservation in reservations for i in reservation["Instances"]),
            *(one["VolumeId"] for one in ec2.describe_volumes(Filters=wanted)["Volumes"]),
            *(one["SnapshotId"] for one in ec2.describe_snapshots(**owned)["Snapshots"]),
            *(one["KeyPairId"] for one in ec2.describe_key_pairs(Filters=wanted)["KeyPairs"]),
            *(
                one["GroupId"]
                for one in ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
            ),
            *(
                one["ImageId"]
                for one in ec2.describe_images(Owners=["self"], Filters=wanted)["Images"]
            ),
        }

    everything = {group, key, volume["VolumeId"], below["SnapshotId"], instance, image}
    for name, values in {
        "tag-key": ["bakeline:*", "none"],
        "tag:run": ["none", "r?"],
        "tag:odd": [r"a\*b"],
        "tag:bakeline:expires": [""],
    }.items():
        assert listed([{"Name": name, "Values": values}]) == everything, name
    assert listed([{"Name": "tag:run", "Values": ["r"]}]) == set()
    both = [{"Name": "tag-key", "Values": ["run"]}, {"Name": "tag:odd", "Values": ["a"]}]
    assert listed(both) == set()
    ec2.create_tags(Resources=[image, group, key], Tags=[{"Key": "empty", "Value": ""}])
    assert {group, key, image} == listed([{"Name": "tag-key", "Values": ["empty"]}])
    assert tags_of(api.describe_image(image))["empty"] == ""


def test_accounts_are_isolated(api: Api) -> None:
    ec2, other, (image,) = (
        api.client("ec2"),
        api.account_client(OTHER_ACCOUNT),
        api.add_images({"name": "one"}),
    )
    launch: dict[str, Any] = {
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": "t3.micro",
        "DryRun": True,
    }
    assert error_code(ec2.run_instances, ImageId=image, **launch) == "DryRunOperation"
    assert error_code(other.run_instances, ImageId=image, **launch) == "AuthFailure"
    assert (
        error_code(other.run_instances, ImageId="ami-00000000000000000", **launch)
        == "InvalidAMIID.NotFound"
    )
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER_ACCOUNT}]})
    assert error_code(other.run_instances, ImageId=image, **launch) == "DryRunOperation"
    wrong = {
        "SubnetId": "subnet-00000000",
        "SecurityGroupIds": ["sg-00000000"],
        "KeyName": "none",
        "InstanceType": "t0.none",
    }
    for name, value in wrong.items():
        assert (
            error_code(ec2.run_instances, **{"ImageId": image, **launch, name: value})
            != "DryRunOperation"
        ), name
    assert ec2.describe_instances()["Reservations"] == []
    other.create_tags(Resources=[image], Tags=[{"Key": "theirs", "Value": "1"}])
    assert tags_of(other.describe_images(ImageIds=[image])["Images"][0]) == {"theirs": "1"}
    assert tags_of(api.describe_image(image)) == {}
    below = {
        "SnapshotId": api.snapshot_id(image),
        "Attribute": "createVolumePermission",
        "OperationType": "add",
    }
    ec2.modify_snapshot_attribute(**below, UserIds=[OTHER_ACCOUNT])
    there = api.account_client(OTHER_ACCOUNT, region="us-east-1")
    copy = there.copy_image(
        Name="one",
        SourceImageId=image,
        SourceRegion=REGION,
        TagSpecifications=[tag_specification("image", a="1")],
    )["ImageId"]
    found = wait_until(
        lambda: [
            i for i in there.describe_images(ImageIds=[copy])["Images"] if i["State"] == "available"
        ]
    )[0]
    assert (found["OwnerId"], found["SourceImageId"], tags_of(found)) == (
        OTHER_ACCOUNT,
        image,
        {"a": "1"},
    )
    instance = api.run_instance(ImageId=copy, ec2=there)
    assert api.backend.specs[instance].account == OTHER_ACCOUNT
    assert (
        api.account_client(THIRD_ACCOUNT).describe_images(Owners=["self", OTHER_ACCOUNT])["Images"]
        == []
    )
    api.account_client(OTHER_ACCOUNT, "ssm").put_parameter(
        Name="/a", Type="String", DataType="aws:ec2:image", Value=image
    )
    api.account_client(THIRD_ACCOUNT, "ssm").put_parameter(
        Name="/a", Type="String", DataType="aws:ec2:image", Value=image
    )
    assert (
        api.account_client(OTHER_ACCOUNT, "ssm").get_parameter(Name="/a")["Parameter"]["Value"]
        == image
    )
    assert (
        error_code(api.account_client(THIRD_ACCOUNT, "ssm").get_parameter, Name="/a")
        == "ParameterNotFound"
    )
    assert error_code(api.client("ssm").get_parameter, Name="/a") == "ParameterNotFound"
    further = api.account_client(OTHER_ACCOUNT, "sts").assume_role(
        RoleArn=f"arn:aws:iam::{THIRD_ACCOUNT}:role/x", RoleSessionName="further"
    )
    assert f":{THIRD_ACCOUNT}:" in further["AssumedRoleUser"]["Arn"]


def test_ami_parameter_is_written_after_delay(api: Api) -> None:
    ssm, (image,) = api.client("ssm"), api.add_images({"name": "one"})
    api.control("parameters", {"seconds": 2})
    put = {"Name": "/a", "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**put, Value=image)["Version"] == 1
    assert error_code(ssm.get_parameter, Name="/a") == "ParameterNotFound"
    written = {"Key": "Name", "Option": "Equals", "Values": ["/a"]}
    wait_until(lambda: ssm.describe_parameters(ParameterFilters=[written])["Parameters"])
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == image


def test_serialization_equals_that_of_moto(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.responses import EC2Response

    from bakeline_sandbox.ec2 import serialization

    odd = {"a<b>&": 'é "quoted" & <tag>', "empty": "", "spaces": "  two  "}
    late = {
        "launched": "2026-01-01T00:00:00Z",
        "deprecated": "2036-01-01T00:00:00Z",
        "protection": "enabled",
    }
    api.add_images(
        {"name": "a", "tags": odd, "description": "<&>", **late},
        {"name": "b", "shared": ["all", OTHER_ACCOUNT]},
    )
    api.add_images(
        {"name": "c", "state": "failed"},
        {"name": "d", "state": "disabled"},
        {"name": "e", "source": "r:ami-1"},
    )
    ec2 = api.client("ec2")
    ec2.modify_image_attribute(ImageId=api.create_image("frozen"), ImdsSupport={"Value": "v2.0"})
    asked = {"IncludeDisabled": True, "MaxResults": 7}
    ours = ec2.describe_images(**asked)

    def slow(found: Any, token: str | None) -> ActionResult:
        return ActionResult({"Images": found, "NextToken": token})

    monkeypatch.setattr(serialization, "ImagesResult", slow)
    monkeypatch.setitem(
        EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        "Image.CreationDate",
        serialization.format_time,
    )
    theirs = ec2.describe_images(**asked)
    assert len(ours["Images"]) == 7
    for answer in (ours, theirs):
        del answer["ResponseMetadata"]
    assert [image.pop("SriovNetSupport") for image in ours["Images"]] == [
        "simple"
    ] * 7  # EC2 shows it, moto doesn't
    for image in ours["Images"]:
        image.setdefault("Tags", [])  # absent on EC2
    assert ours == theirs


def test_describe_images_lists_five_thousand_amis(api: Api) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    many = [
        {
            "name": f"shop/web/x86_64/{n}",
            "created": (day + timedelta(hours=n)).isoformat(),
            "tags": {f"bakeline:{key}": f"{n}" for key in "abcdefghijklmno"},
        }
        for n in range(5000)
    ]
    ids = api.add_images(*many)
    ec2 = api.client("ec2")
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 5000
    pages = ec2.get_paginator("describe_images").paginate(
        Owners=["self"],
        Filters=[{"Name": "tag-key", "Values": ["bakeline:a"]}],
        PaginationConfig={"PageSize": 1000},
    )
    assert [image["ImageId"] for page in pages for image in page["Images"]] == ids
    assert len(ec2.describe_images(ImageIds=ids[:100])["Images"]) == 100


def test_control_images_creates_amis_with_given_fields(api: Api) -> None:
    ids = api.add_images(
        {"name": "a", "id": "ami-0123456789abcdef0", "state": "disabled", "tags": {"x": ""}, "source": "us-east-1:ami-1"},
        {"name": "b", "state": "failed", "region": "us-east-1", "account": OTHER_ACCOUNT},
        {"name": "c", "state": "pending", "launched": "2026-01-01T00:00:00Z", "snapshot_tags": {"s": "t"}},
    )  # fmt: skip
    a = api.describe_image(ids[0], IncludeDisabled=True)
    assert (a["ImageId"], a["State"], a["Tags"]) == (
        "ami-0123456789abcdef0",
        "disabled",
        [{"Key": "x", "Value": ""}],
    )
    assert (a["SourceImageRegion"], a["SourceImageId"]) == ("us-east-1", "ami-1")
    b = api.account_client(OTHER_ACCOUNT, region="us-east-1").describe_images(ImageIds=[ids[1]])[
        "Images"
    ][0]
    assert (b["State"], b["OwnerId"], b["Name"]) == ("failed", OTHER_ACCOUNT, "b")
    assert (
        api.describe_image(ids[2])["State"],
        api.describe_image(ids[2])["LastLaunchedTime"],
    ) == ("pending", "2026-01-01T00:00:00.000Z")
    ec2 = api.client("ec2")
    assert tags_of(
        ec2.describe_snapshots(SnapshotIds=[api.snapshot_id(ids[2])])["Snapshots"][0]
    ) == {"s": "t"}
    with pytest.raises(Exception, match="400"):
        api.add_images({"name": "d"}, {"name": "e", "state": "odd"})
    with pytest.raises(Exception, match="400"):
        api.add_images({"name": "d", "id": ids[0]})
    assert len(ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]) == 2
