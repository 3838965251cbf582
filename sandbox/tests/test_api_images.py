"""Tests AMIs and snapshots: creation, copies, sharing, pages, deletion and disk layers."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from conftest import OTHER_ACCOUNT, REGION, Api, error_code, tag_specification, tags_of, wait_until


def test_vendor_images_are_public_and_regional(api: Api) -> None:
    found = api.client("ec2").describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-1?-*"]}]
    )["Images"]
    assert [image["Name"].split("-")[1] for image in found] == ["12", "13"]
    for image in found:
        assert (
            image["Public"],
            image["RootDeviceName"],
            image["RootDeviceType"],
            image["State"],
        ) == (
            True,
            "/dev/xvda",
            "ebs",
            "available",
        )
        assert "ImageOwnerAlias" not in image
    assert api.vendor_image() != api.vendor_image(region="us-west-2")
    assert api.client("ec2").describe_images(Owners=["self"])["Images"] == []
    assert (
        error_code(api.client("ec2").deregister_image, ImageId=api.vendor_image()) == "AuthFailure"
    )


def test_create_image_stops_running_instance(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    ec2, instance = api.client("ec2"), api.run_instance()
    image = ec2.create_image(
        InstanceId=instance,
        Name="one",
        TagSpecifications=[tag_specification("image", a="1"), tag_specification("snapshot", b="2")],
    )["ImageId"]
    assert api.describe_image(image)["State"] == "pending"
    assert api.wait_for_instance(instance, "running")
    snapshot_id = api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "pending"
    assert (
        error_code(
            ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro"
        )
        == "InvalidAMIID.Unavailable"
    )
    ec2.get_waiter("image_available").wait(
        ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    found = api.describe_image(image)
    assert tags_of(found) == {"a": "1"}
    assert (found["RootDeviceName"], found["RootDeviceType"], found["SourceInstanceId"]) == (
        "/dev/xvda",
        "ebs",
        instance,
    )
    snapshot = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert (tags_of(snapshot), snapshot["State"], snapshot["OwnerId"]) == (
        {"b": "2"},
        "completed",
        "123456789012",
    )
    assert api.backend.operations(instance) == ["launch", "stop", "freeze_disk", "start"]
    child = api.run_instance(ImageId=image)
    assert api.backend.specs[child].layers == (snapshot_id, "debian-12")
    api.describe_image(image)["LastLaunchedTime"]
    assert "LastLaunchedTime" in ec2.describe_image_attribute(
        ImageId=image, Attribute="lastLaunchedTime"
    )


def test_create_image_keeps_stopped_instance(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    assert (
        error_code(ec2.create_image, InstanceId=instance, Name="one", NoReboot=True)
        == "UnsupportedOperation"
    )
    ec2.stop_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "stopped")
    api.create_image("one", instance=instance, NoReboot=True)
    assert api.backend.operations(instance) == ["launch", "stop", "freeze_disk"]
    api.wait_for_instance(instance, "stopped")


def test_failed_freeze_makes_image_failed(api: Api) -> None:
    api.backend.failing.add("freeze_disk")
    image = api.create_image("one", state="failed")
    assert "injected failure" in api.describe_image(image)["StateReason"]["Message"]


@pytest.mark.parametrize("name", ["ab", "x" * 129, "semi;colon", "tab\there"])
def test_create_image_rejects_malformed_names(api: Api, name: str) -> None:
    instance = api.run_instance()
    with pytest.raises(Exception, match=r"InvalidAMIName\.Malformed|Invalid length"):
        api.client("ec2").create_image(InstanceId=instance, Name=name)


def test_image_names_are_unique_per_region(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one")
    instance, outcomes = api.run_instance(), []

    def create() -> None:
        try:
            outcomes.append(ec2.create_image(InstanceId=instance, Name="two")["ImageId"])
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("InvalidAMIName.Duplicate") == 7
    assert (
        error_code(ec2.copy_image, Name="one", SourceImageId=image, SourceRegion=REGION)
        == "InvalidAMIName.Duplicate"
    )
    there = api.client("ec2", "us-east-1").copy_image(
        Name="one", SourceImageId=image, SourceRegion=REGION
    )["ImageId"]
    assert there != image


def test_creation_dates_are_unique(api: Api) -> None:
    instance = api.run_instance()
    made = [api.create_image(f"image-{n}", instance=instance) for n in range(3)]
    dates = [api.describe_image(image)["CreationDate"] for image in made]
    assert len(set(dates)) == 3
    assert dates == sorted(dates)
    by_date = api.client("ec2").describe_images(
        Filters=[{"Name": "creation-date", "Values": [dates[0][:10] + "*"]}]
    )["Images"]
    assert {image["ImageId"] for image in by_date} == set(made)


def test_describe_images_pages_by_owner(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    made = [api.create_image(f"image-{n}", instance=instance) for n in range(5)]
    pages = list(
        ec2.get_paginator("describe_images").paginate(
            Owners=["self"], PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["Images"]) for page in pages] == [2, 2, 1]
    first = ec2.describe_images(Owners=["self"], MaxResults=2)
    ec2.deregister_image(ImageId=made[2])
    rest = ec2.describe_images(Owners=["self"], MaxResults=2, NextToken=first["NextToken"])
    assert [image["ImageId"] for image in rest["Images"]] == made[3:]
    assert (
        error_code(ec2.describe_images, Owners=["self"], NextToken="junk")
        == "InvalidParameterValue"
    )
    assert (
        error_code(ec2.describe_images, ImageIds=made[:1], MaxResults=5)
        == "InvalidParameterCombination"
    )
    assert ec2.describe_images(ImageIds=[made[0]], Owners=["amazon"])["Images"] == []
    assert (
        len(ec2.describe_images(ImageIds=[made[0], api.vendor_image()], Owners=["self"])["Images"])
        == 1
    )
    assert (
        error_code(ec2.describe_images, ImageIds=["ami-00000000000000000"])
        == "InvalidAMIID.NotFound"
    )
    snapshots = list(
        ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], PaginationConfig={"PageSize": 5}
        )
    )
    assert len([s for page in snapshots for s in page["Snapshots"]]) == 5


def test_image_and_snapshot_filters(api: Api) -> None:
    ec2 = api.client("ec2")
    image = api.create_image(
        "web-1",
        TagSpecifications=[
            tag_specification("image", role="web", stage="test"),
            tag_specification("snapshot", role="web"),
        ],
    )
    found = api.describe_image(image)
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    wanted = {
        "name": "web-*", "tag:role": "w?b", "tag-key": "stage", "state": "available", "owner-id": "123456789012", "image-id": image, "architecture": found["Architecture"],
        "root-device-type": "ebs", "virtualization-type": "hvm", "block-device-mapping.snapshot-id": snapshot, "source-image-id": found["SourceImageId"], "hypervisor": "xen",
        "image-type": "machine", "is-public": "false", "source-instance-id": found["SourceInstanceId"], "creation-date": found["CreationDate"][:16] + "*",
    }  # fmt: skip
    for name, value in wanted.items():
        listed = ec2.describe_images(
            Owners=["self"], Filters=[{"Name": name, "Values": ["nothing", value]}]
        )["Images"]
        assert [i["ImageId"] for i in listed] == [image], name
        assert (
            ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": ["nothing"]}])[
                "Images"
            ]
            == []
        ), name
    assert (
        error_code(ec2.describe_images, Filters=[{"Name": "colour", "Values": ["x"]}])
        == "InvalidParameterValue"
    )
    for name, value in {
        "tag:role": "web",
        "owner-id": "1234*",
        "snapshot-id": snapshot,
        "status": "completed",
        "description": f"*{image}*",
    }.items():
        listed = ec2.describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": name, "Values": [value]}]
        )["Snapshots"]
        assert [s["SnapshotId"] for s in listed] == [snapshot], name
    volume = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["VolumeId"]
    assert ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [volume]}])["Snapshots"]


def test_copy_image_copies_tags_and_encrypts(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    image = api.create_image(
        "one", Description="text", TagSpecifications=[tag_specification("image", a="1", b="2")]
    )
    there = api.client("ec2", "us-east-1")
    options = {
        "Name": "copy",
        "SourceImageId": image,
        "SourceRegion": REGION,
        "CopyImageTags": True,
        "ClientToken": "t",
    }
    copy = there.copy_image(
        **options,
        TagSpecifications=[tag_specification("image", b="3"), tag_specification("snapshot", c="4")],
    )["ImageId"]
    assert (
        there.copy_image(
            **options,
            TagSpecifications=[
                tag_specification("image", b="3"),
                tag_specification("snapshot", c="4"),
            ],
        )["ImageId"]
        == copy
    )
    assert api.describe_image(copy, "us-east-1")["State"] == "pending"
    wait_until(lambda: api.describe_image(copy, "us-east-1")["State"] == "available")
    found = api.describe_image(copy, "us-east-1")
    assert tags_of(found) == {"a": "1", "b": "3"}
    assert (found["SourceImageId"], found["SourceImageRegion"], found["Description"]) == (
        image,
        REGION,
        "text",
    )
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert tags_of(there.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]) == {"c": "4"}
    source = api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    child = api.run_instance(ImageId=copy, ec2=there)
    assert api.backend.specs[child].layers == (source, "debian-12")
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2 = api.client("ec2")
    locked = ec2.copy_image(
        Name="locked", SourceImageId=image, SourceRegion=REGION, Encrypted=True, KmsKeyId=key
    )["ImageId"]
    disk = api.describe_image(locked)["BlockDeviceMappings"][0]["Ebs"]
    assert disk["Encrypted"]
    assert (
        ec2.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"][0]["KmsKeyId"] == key
    )
    wrong = ec2.copy_image(
        Name="wrong",
        SourceImageId=image,
        SourceRegion=REGION,
        Encrypted=True,
        KmsKeyId=key[:-12] + "000000000000",
    )["ImageId"]
    assert api.describe_image(wrong)["State"] == "failed"
    assert (
        error_code(
            ec2.copy_image, Name="none", SourceImageId="ami-00000000000000000", SourceRegion=REGION
        )
        == "InvalidAMIID.NotFound"
    )


def test_unused_layers_are_deleted(api: Api) -> None:
    ec2, builder = api.client("ec2"), api.run_instance()
    parent = api.create_image("parent", instance=builder)
    child_builder = api.run_instance(ImageId=parent)
    child = api.create_image("child", instance=child_builder)
    first, second = (
        api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        for image in (parent, child)
    )
    assert error_code(ec2.delete_snapshot, SnapshotId=first) == "InvalidSnapshot.InUse"
    result = ec2.deregister_image(ImageId=parent, DeleteAssociatedSnapshots=True)
    assert result["DeleteSnapshotResults"] == [{"SnapshotId": first, "ReturnCode": "success"}]
    copy = ec2.copy_image(Name="copy", SourceImageId=child, SourceRegion=REGION)["ImageId"]
    ec2.terminate_instances(InstanceIds=[builder, child_builder])
    api.wait_for_instance(child_builder, "terminated")
    ec2.deregister_image(ImageId=child)
    ec2.delete_snapshot(SnapshotId=second)
    time.sleep(0.1)
    assert api.backend.deleted_layers == []
    ec2.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
    wait_until(lambda: set(api.backend.deleted_layers) == {first, second})
    assert error_code(ec2.describe_snapshots, SnapshotIds=[second]) == "InvalidSnapshot.NotFound"


def test_deregister_image_respects_protection(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one")
    ec2.enable_image_deregistration_protection(ImageId=image)
    assert api.describe_image(image)["DeregistrationProtection"] == "enabled"
    assert error_code(ec2.deregister_image, ImageId=image) == "OperationNotPermitted"
    ec2.disable_image_deregistration_protection(ImageId=image)
    assert (
        ec2.describe_image_attribute(ImageId=image, Attribute="deregistrationProtection")[
            "DeregistrationProtection"
        ]["Value"]
        == "disabled"
    )
    assert error_code(ec2.deregister_image, ImageId=image, DryRun=True) == "DryRunOperation"
    ec2.deregister_image(ImageId=image)
    assert error_code(ec2.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    assert error_code(ec2.deregister_image, ImageId=image) == "InvalidAMIID.NotFound"
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_shared_image_can_be_disabled_and_deprecated(api: Api) -> None:
    ec2, other, image = (
        api.client("ec2"),
        api.account_client(OTHER_ACCOUNT),
        api.create_image("one", TagSpecifications=[tag_specification("image", a="1")]),
    )
    assert error_code(other.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER_ACCOUNT}]})
    assert ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")[
        "LaunchPermissions"
    ] == [{"UserId": OTHER_ACCOUNT}]
    seen = other.describe_images(ExecutableUsers=["self"])["Images"]
    assert [(i["ImageId"], i.get("Tags", [])) for i in seen] == [(image, [])]
    api.run_instance(ImageId=image, ec2=other)
    assert error_code(other.deregister_image, ImageId=image) == "AuthFailure"
    assert (
        error_code(other.create_image, InstanceId="i-00000000000000000", Name="xxx")
        == "InvalidInstanceID.NotFound"
    )
    assert (
        error_code(other.copy_image, Name="stolen", SourceImageId=image, SourceRegion=REGION)
        == "InvalidRequest"
    )
    snapshot = api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot,
        OperationType="add",
        UserIds=[OTHER_ACCOUNT],
        Attribute="createVolumePermission",
    )
    assert other.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert other.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    other.copy_image(Name="copied", SourceImageId=image, SourceRegion=REGION)
    at = datetime.now(UTC) + timedelta(days=1)
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=at)
    assert api.describe_image(image)["DeprecationTime"].endswith(":00.000Z")
    assert (
        error_code(
            ec2.enable_image_deprecation,
            ImageId=image,
            DeprecateAt=datetime(2020, 1, 1, tzinfo=UTC),
        )
        == "InvalidParameterValue"
    )
    ec2.disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in api.describe_image(image)
    ec2.disable_image(ImageId=image)
    assert ec2.describe_images(ImageIds=[image])["Images"] == []
    assert api.describe_image(image, IncludeDisabled=True)["State"] == "disabled"
    assert error_code(other.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    assert (
        error_code(
            ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro"
        )
        == "InvalidAMIID.Unavailable"
    )
    ec2.enable_image(ImageId=image)
    assert api.describe_image(image)["State"] == "available"
    assert (
        ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")[
            "LaunchPermissions"
        ]
        == []
    )


def test_image_attributes_and_tag_limits(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one")
    ec2.modify_image_attribute(ImageId=image, Description={"Value": "better"})
    assert (
        ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"]["Value"]
        == "better"
    )
    ec2.modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})
    assert api.backend.specs[api.run_instance(ImageId=image)].http_tokens_required
    assert (
        error_code(
            ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"UserId": "12"}]}
        )
        == "InvalidAMIAttributeItemValue"
    )
    many = tag_specification("image", **{f"k{n}": "v" for n in range(51)})
    assert (
        error_code(
            ec2.create_image, InstanceId=api.run_instance(), Name="many", TagSpecifications=[many]
        )
        == "TagLimitExceeded"
    )
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    snapshot = api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.create_tags(
        Resources=[image, snapshot], Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    )
    assert (
        error_code(ec2.create_tags, Resources=[image], Tags=[{"Key": "one-more", "Value": "v"}])
        == "TagLimitExceeded"
    )
    assert (
        error_code(ec2.create_tags, Resources=[snapshot], Tags=[{"Key": "AWS:x", "Value": "v"}])
        == "InvalidParameterValue"
    )
    ec2.delete_tags(Resources=[image], Tags=[{"Key": "k0"}])
    assert len(api.describe_image(image)["Tags"]) == 49


def test_ssm_writes_only_available_images(api: Api) -> None:
    ssm, image = api.client("ssm"), api.create_image("one")
    put = {"Name": "/ami/web", "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**put, Value="ami-00000000000000000")["Version"] == 1
    assert error_code(ssm.get_parameter, Name="/ami/web") == "ParameterNotFound"
    ssm.put_parameter(**put, Value=image)
    assert error_code(ssm.put_parameter, **put, Value=image) == "ParameterAlreadyExists"
    ssm.put_parameter(**put, Value="ami-00000000000000000", Overwrite=True)
    assert ssm.get_parameter(Name="/ami/web")["Parameter"]["Value"] == image


def test_publish_creates_newer_vendor_image(api: Api) -> None:
    old = api.vendor_image()
    name = api.control("publish", {"release": "debian-12"})["name"]
    assert name.startswith("debian-12-")
    assert api.vendor_image() != old
    found = api.describe_image(api.vendor_image(region="us-east-1"), "us-east-1")
    assert found["Name"] == name
    assert found["CreationDate"] > api.describe_image(old)["CreationDate"]
    later = api.control("publish", {"release": "debian-12"})["name"]
    assert later > name
    spec_of_new = api.backend.specs[api.run_instance()]
    assert spec_of_new.layers[-1].startswith("debian-12-")
