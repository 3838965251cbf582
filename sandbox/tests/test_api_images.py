"""Tests creation, copies, filters, pages and layers of AMIs and snapshots."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import (
    ACCOUNT,
    REGION,
    VENDOR_ACCOUNT,
    Api,
    assert_error,
    tag_specification,
    tags_of,
    wait_until,
)

MISSING_IMAGE = "ami-00000000000000000"
RUN = {"MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}


def test_vendor_images_are_public_and_regional(api: Api) -> None:
    filters = [{"Name": "name", "Values": ["debian-1?-*"]}]
    ec2 = api.client("ec2")
    images = ec2.describe_images(Owners=[VENDOR_ACCOUNT], Filters=filters)["Images"]
    assert [image["Name"].split("-")[1] for image in images] == ["12", "13"]
    for image in images:
        assert image["Public"] and image["State"] == "available"
        assert (image["RootDeviceName"], image["RootDeviceType"]) == ("/dev/xvda", "ebs")
        assert "ImageOwnerAlias" not in image
    assert api.vendor_image() != api.vendor_image(region="us-west-2")
    assert api.image_ids(Owners=["self"]) == []
    assert_error("AuthFailure", ec2.deregister_image, ImageId=api.vendor_image())


def test_create_image_stops_running_instance(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    ec2, instance = api.client("ec2"), api.run_instance()
    specifications = [tag_specification("image", a="1"), tag_specification("snapshot", b="2")]
    image = ec2.create_image(InstanceId=instance, Name="one", TagSpecifications=specifications)
    image = image["ImageId"]
    assert api.describe_image(image)["State"] == "pending"
    assert api.wait_for_instance(instance, "running")
    snapshot_id = api.snapshot_id(image)

    def describe_snapshot() -> dict[str, Any]:
        return ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]

    assert describe_snapshot()["State"] == "pending"
    assert_error("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=image, **RUN)
    wait_until(lambda: api.describe_image(image)["State"] == "available")
    description = api.describe_image(image)
    assert tags_of(description) == {"a": "1"}
    assert description["SourceInstanceId"] == instance
    assert description["RootDeviceName"] == "/dev/xvda"
    assert description["RootDeviceType"] == "ebs"
    snapshot = describe_snapshot()
    assert (snapshot["State"], snapshot["OwnerId"]) == ("completed", ACCOUNT)
    assert tags_of(snapshot) == {"b": "2"}
    assert api.backend.operations(instance) == ["launch", "stop", "freeze_disk", "start"]
    child = api.run_instance(ImageId=image)
    assert api.backend.specs[child].layers == (snapshot_id, "debian-12")
    assert "LastLaunchedTime" in api.describe_image(image)
    attribute = ec2.describe_image_attribute(ImageId=image, Attribute="lastLaunchedTime")
    assert "LastLaunchedTime" in attribute


def test_create_image_keeps_stopped_instance(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    options = {"InstanceId": instance, "Name": "one", "NoReboot": True}
    assert_error("UnsupportedOperation", ec2.create_image, **options)
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

    def create_image() -> None:
        try:
            outcomes.append(ec2.create_image(InstanceId=instance, Name="two")["ImageId"])
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create_image) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("InvalidAMIName.Duplicate") == 7
    source = {"Name": "one", "SourceImageId": image, "SourceRegion": REGION}
    assert_error("InvalidAMIName.Duplicate", ec2.copy_image, **source)
    assert api.client("ec2", "us-east-1").copy_image(**source)["ImageId"] != image


def test_creation_dates_are_unique(api: Api) -> None:
    instance = api.run_instance()
    images = [api.create_image(f"image-{number}", instance=instance) for number in range(3)]
    dates = [api.describe_image(image)["CreationDate"] for image in images]
    assert len(set(dates)) == 3
    assert dates == sorted(dates)
    filters = [{"Name": "creation-date", "Values": [dates[0][:10] + "*"]}]
    assert set(api.image_ids(Filters=filters)) == set(images)


def test_pages_stay_correct_after_deregistration(api: Api) -> None:
    ec2, own = api.client("ec2"), {"Owners": ["self"]}
    images = api.add_images(*[{"name": f"image-{number}"} for number in range(5)])
    paginator = ec2.get_paginator("describe_images")
    pages = paginator.paginate(**own, PaginationConfig={"PageSize": 2})
    assert [len(page["Images"]) for page in pages] == [2, 2, 1]
    first = ec2.describe_images(**own, MaxResults=2)
    ec2.deregister_image(ImageId=images[2])
    assert api.image_ids(**own, MaxResults=2, NextToken=first["NextToken"]) == images[3:]
    assert_error("InvalidParameterValue", ec2.describe_images, **own, NextToken="junk")
    both = {"ImageIds": images[:1], "MaxResults": 5}
    assert_error("InvalidParameterCombination", ec2.describe_images, **both)
    paginator = ec2.get_paginator("describe_snapshots")
    pages = paginator.paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5})
    assert sum(len(page["Snapshots"]) for page in pages) == 5


def test_ids_and_owners_are_combined(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    assert api.image_ids(ImageIds=[image], Owners=["amazon"]) == []
    assert api.image_ids(ImageIds=[image, api.vendor_image()], Owners=["self"]) == [image]
    describe = api.client("ec2").describe_images
    assert_error("InvalidAMIID.NotFound", describe, ImageIds=[MISSING_IMAGE])


def test_image_filters(api: Api) -> None:
    specifications = [tag_specification("image", role="web", stage="test")]
    image = api.create_image("web-1", TagSpecifications=specifications)
    description = api.describe_image(image)
    for name, value in {
        "name": "web-*",
        "tag:role": "w?b",
        "tag-key": "stage",
        "state": "available",
        "owner-id": ACCOUNT,
        "image-id": image,
        "architecture": description["Architecture"],
        "root-device-type": "ebs",
        "virtualization-type": "hvm",
        "block-device-mapping.snapshot-id": api.snapshot_id(image),
        "source-image-id": description["SourceImageId"],
        "hypervisor": "xen",
        "image-type": "machine",
        "is-public": "false",
        "source-instance-id": description["SourceInstanceId"],
        "creation-date": description["CreationDate"][:16] + "*",
    }.items():
        for values, expected in ((["nothing", value], [image]), (["nothing"], [])):
            filters = [{"Name": name, "Values": values}]
            assert api.image_ids(Owners=["self"], Filters=filters) == expected, name
    filters = [{"Name": "colour", "Values": ["x"]}]
    describe = api.client("ec2").describe_images
    assert_error("InvalidParameterValue", describe, Filters=filters)


def test_snapshot_filters(api: Api) -> None:
    specifications = [tag_specification("snapshot", role="web")]
    image = api.create_image("web-1", TagSpecifications=specifications)
    ec2, snapshot_id = api.client("ec2"), api.snapshot_id(image)

    def snapshot_ids(name: str, value: str) -> list[str]:
        filters = [{"Name": name, "Values": [value]}]
        snapshots = ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]
        return [snapshot["SnapshotId"] for snapshot in snapshots]

    volume = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["VolumeId"]
    for name, value in {
        "tag:role": "web",
        "owner-id": "1234*",
        "snapshot-id": snapshot_id,
        "status": "completed",
        "description": f"*{image}*",
        "volume-id": volume,
    }.items():
        assert snapshot_ids(name, value) == [snapshot_id], name


def test_copy_image_copies_tags_and_layers(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    specifications = [tag_specification("image", a="1", b="2")]
    image = api.create_image("one", Description="text", TagSpecifications=specifications)
    remote = api.client("ec2", "us-east-1")
    options = {
        "Name": "copy",
        "SourceImageId": image,
        "SourceRegion": REGION,
        "CopyImageTags": True,
        "ClientToken": "t",
        "TagSpecifications": [
            tag_specification("image", b="3"),
            tag_specification("snapshot", c="4"),
        ],
    }
    copy = remote.copy_image(**options)["ImageId"]
    assert remote.copy_image(**options)["ImageId"] == copy
    assert api.describe_image(copy, "us-east-1")["State"] == "pending"
    wait_until(lambda: api.describe_image(copy, "us-east-1")["State"] == "available")
    description = api.describe_image(copy, "us-east-1")
    assert tags_of(description) == {"a": "1", "b": "3"}
    assert description["SourceImageId"] == image
    assert description["SourceImageRegion"] == REGION
    assert description["Description"] == "text"
    snapshot_id = description["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    snapshot = remote.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert tags_of(snapshot) == {"c": "4"}
    child = api.run_instance(ImageId=copy, ec2=remote)
    assert api.backend.specs[child].layers == (api.snapshot_id(image), "debian-12")
    missing = {"Name": "none", "SourceImageId": MISSING_IMAGE, "SourceRegion": REGION}
    assert_error("InvalidAMIID.NotFound", api.client("ec2").copy_image, **missing)


def test_copy_image_encrypts_with_existing_key_only(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    source = {"SourceImageId": image, "SourceRegion": REGION, "Encrypted": True}
    encrypted = ec2.copy_image(Name="encrypted", **source, KmsKeyId=key)["ImageId"]
    disk = api.describe_image(encrypted)["BlockDeviceMappings"][0]["Ebs"]
    assert disk["Encrypted"]
    snapshots = ec2.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"]
    assert snapshots[0]["KmsKeyId"] == key
    missing_key = key[:-12] + "000000000000"
    failed = ec2.copy_image(Name="failed", **source, KmsKeyId=missing_key)["ImageId"]
    wait_until(lambda: api.describe_image(failed)["State"] == "failed")
    assert missing_key in api.describe_image(failed)["StateReason"]["Message"]


def test_unused_layers_are_deleted(api: Api) -> None:
    ec2, builder = api.client("ec2"), api.run_instance()
    parent = api.create_image("parent", instance=builder)
    child_builder = api.run_instance(ImageId=parent)
    child = api.create_image("child", instance=child_builder)
    first, second = api.snapshot_id(parent), api.snapshot_id(child)
    assert_error("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=first)
    response = ec2.deregister_image(ImageId=parent, DeleteAssociatedSnapshots=True)
    result = {"SnapshotId": first, "ReturnCode": "success"}
    assert response["DeleteSnapshotResults"] == [result]
    copy = ec2.copy_image(Name="copy", SourceImageId=child, SourceRegion=REGION)["ImageId"]
    ec2.terminate_instances(InstanceIds=[builder, child_builder])
    api.wait_for_instance(child_builder, "terminated")
    ec2.deregister_image(ImageId=child)
    ec2.delete_snapshot(SnapshotId=second)
    time.sleep(0.1)  # layers are deleted in the background
    assert api.backend.deleted_layers == []
    ec2.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
    wait_until(lambda: set(api.backend.deleted_layers) == {first, second})
    assert_error("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[second])


def test_ssm_writes_only_available_images(api: Api) -> None:
    ssm, (image,) = api.client("ssm"), api.add_images({"name": "one"})
    parameter = {"Name": "/ami/web", "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**parameter, Value=MISSING_IMAGE)["Version"] == 1
    assert_error("ParameterNotFound", ssm.get_parameter, Name="/ami/web")
    ssm.put_parameter(**parameter, Value=image)
    assert_error("ParameterAlreadyExists", ssm.put_parameter, **parameter, Value=image)
    ssm.put_parameter(**parameter, Value=MISSING_IMAGE, Overwrite=True)
    assert ssm.get_parameter(Name="/ami/web")["Parameter"]["Value"] == image


def test_publish_creates_newer_vendor_image(api: Api) -> None:
    old = api.vendor_image()
    name = api.control("publish", {"release": "debian-12"})["name"]
    assert name.startswith("debian-12-")
    assert api.vendor_image() != old
    published = api.describe_image(api.vendor_image(region="us-east-1"), "us-east-1")
    assert published["Name"] == name
    assert published["CreationDate"] > api.describe_image(old)["CreationDate"]
    assert api.control("publish", {"release": "debian-12"})["name"] > name
    instance = api.run_instance()
    assert api.backend.specs[instance].layers[-1].startswith("debian-12-")
