"""AMIs and snapshots: creation, copies, sharing, paging, deletion and whose layers live."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Api
from test_api_instances import code

OTHER = "210987654321"


def spec(kind: str, **tags: str) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def test_vendor_images(api: Api) -> None:
    found = api.client("ec2").describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-1?-*"]}]
    )["Images"]
    assert [image["Name"].split("-")[1] for image in found] == ["12", "13"]
    for image in found:
        assert (image["Public"], image["RootDeviceName"], image["RootDeviceType"], image["State"]) == (
            True,
            "/dev/xvda",
            "ebs",
            "available",
        )
        assert "ImageOwnerAlias" not in image
    assert api.vendor() != api.vendor(region="us-west-2")
    assert api.client("ec2").describe_images(Owners=["self"])["Images"] == []
    assert code(api.client("ec2").deregister_image, ImageId=api.vendor()) == "AuthFailure"


def test_create_image_running(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    ec2, instance = api.client("ec2"), api.run()
    image = ec2.create_image(
        InstanceId=instance, Name="one", TagSpecifications=[spec("image", a="1"), spec("snapshot", b="2")]
    )["ImageId"]
    assert api.look(image)["State"] == "pending"
    assert api.instance(instance, "running")
    snapshot_id = api.look(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "pending"
    assert (
        code(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        == "InvalidAMIID.Unavailable"
    )
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    found = api.look(image)
    assert tags(found) == {"a": "1"}
    assert (found["RootDeviceName"], found["RootDeviceType"], found["SourceInstanceId"]) == (
        "/dev/xvda",
        "ebs",
        instance,
    )
    snapshot = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert (tags(snapshot), snapshot["State"], snapshot["OwnerId"]) == ({"b": "2"}, "completed", "123456789012")
    assert api.backend.did(instance) == ["launch", "stop", "freeze", "start"]
    child = api.run(ImageId=image)
    assert api.backend.specs[child].layers == (snapshot_id, "debian-12")
    api.look(image)["LastLaunchedTime"]
    assert "LastLaunchedTime" in ec2.describe_image_attribute(ImageId=image, Attribute="lastLaunchedTime")


def test_create_image_stopped_and_no_reboot(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run()
    assert code(ec2.create_image, InstanceId=instance, Name="one", NoReboot=True) == "UnsupportedOperation"
    ec2.stop_instances(InstanceIds=[instance])
    api.instance(instance, "stopped")
    api.image("one", instance=instance, NoReboot=True)
    assert api.backend.did(instance) == ["launch", "stop", "freeze"]
    api.instance(instance, "stopped")


def test_failed_freeze(api: Api) -> None:
    api.backend.fail.add("freeze")
    image = api.image("one", state="failed")
    assert "told to fail" in api.look(image)["StateReason"]["Message"]


@pytest.mark.parametrize("name", ["ab", "x" * 129, "semi;colon", "tab\there"])
def test_malformed_names(api: Api, name: str) -> None:
    instance = api.run()
    with pytest.raises(Exception, match=r"InvalidAMIName\.Malformed|Invalid length"):
        api.client("ec2").create_image(InstanceId=instance, Name=name)


def test_names_are_unique(api: Api) -> None:
    ec2, image = api.client("ec2"), api.image("one")
    instance, outcomes = api.run(), []

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
    assert code(ec2.copy_image, Name="one", SourceImageId=image, SourceRegion=REGION) == "InvalidAMIName.Duplicate"
    there = api.client("ec2", "us-east-1").copy_image(Name="one", SourceImageId=image, SourceRegion=REGION)["ImageId"]
    assert there != image


def test_created_in_one_second_differ(api: Api) -> None:
    instance = api.run()
    made = [api.image(f"image-{n}", instance=instance) for n in range(3)]
    dates = [api.look(image)["CreationDate"] for image in made]
    assert len(set(dates)) == 3
    assert dates == sorted(dates)
    by_date = api.client("ec2").describe_images(Filters=[{"Name": "creation-date", "Values": [dates[0][:10] + "*"]}])[
        "Images"
    ]
    assert {image["ImageId"] for image in by_date} == set(made)


def test_paging_and_owners(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run()
    made = [api.image(f"image-{n}", instance=instance) for n in range(5)]
    pages = list(ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 2}))
    assert [len(page["Images"]) for page in pages] == [2, 2, 1]
    first = ec2.describe_images(Owners=["self"], MaxResults=2)
    ec2.deregister_image(ImageId=made[2])
    rest = ec2.describe_images(Owners=["self"], MaxResults=2, NextToken=first["NextToken"])
    assert [image["ImageId"] for image in rest["Images"]] == made[3:]
    assert code(ec2.describe_images, Owners=["self"], NextToken="junk") == "InvalidParameterValue"
    assert code(ec2.describe_images, ImageIds=made[:1], MaxResults=5) == "InvalidParameterCombination"
    assert ec2.describe_images(ImageIds=[made[0]], Owners=["amazon"])["Images"] == []
    assert len(ec2.describe_images(ImageIds=[made[0], api.vendor()], Owners=["self"])["Images"]) == 1
    assert code(ec2.describe_images, ImageIds=["ami-00000000000000000"]) == "InvalidAMIID.NotFound"
    snapshots = list(
        ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5})
    )
    assert len([s for page in snapshots for s in page["Snapshots"]]) == 5


def test_filters(api: Api) -> None:
    ec2 = api.client("ec2")
    image = api.image(
        "web-1", TagSpecifications=[spec("image", role="web", stage="test"), spec("snapshot", role="web")]
    )
    found = api.look(image)
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    wanted = {
        "name": "web-*", "tag:role": "w?b", "tag-key": "stage", "state": "available", "owner-id": "123456789012", "image-id": image, "architecture": found["Architecture"],
        "root-device-type": "ebs", "virtualization-type": "hvm", "block-device-mapping.snapshot-id": snapshot, "source-image-id": found["SourceImageId"], "hypervisor": "xen",
        "image-type": "machine", "is-public": "false", "source-instance-id": found["SourceInstanceId"], "creation-date": found["CreationDate"][:16] + "*",
    }  # fmt: skip
    for name, value in wanted.items():
        listed = ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": ["nothing", value]}])["Images"]
        assert [i["ImageId"] for i in listed] == [image], name
        assert ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": ["nothing"]}])["Images"] == [], (
            name
        )
    assert code(ec2.describe_images, Filters=[{"Name": "colour", "Values": ["x"]}]) == "InvalidParameterValue"
    for name, value in {
        "tag:role": "web",
        "owner-id": "1234*",
        "snapshot-id": snapshot,
        "status": "completed",
        "description": f"*{image}*",
    }.items():
        listed = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": name, "Values": [value]}])["Snapshots"]
        assert [s["SnapshotId"] for s in listed] == [snapshot], name
    volume = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["VolumeId"]
    assert ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [volume]}])["Snapshots"]


def test_copy(api: Api) -> None:
    api.control("pending", {"seconds": 2})
    image = api.image("one", Description="text", TagSpecifications=[spec("image", a="1", b="2")])
    there = api.client("ec2", "us-east-1")
    options = {
        "Name": "copy",
        "SourceImageId": image,
        "SourceRegion": REGION,
        "CopyImageTags": True,
        "ClientToken": "t",
    }
    copy = there.copy_image(**options, TagSpecifications=[spec("image", b="3"), spec("snapshot", c="4")])["ImageId"]
    assert (
        there.copy_image(**options, TagSpecifications=[spec("image", b="3"), spec("snapshot", c="4")])["ImageId"]
        == copy
    )
    assert api.look(copy, "us-east-1")["State"] == "pending"
    api.until(lambda: api.look(copy, "us-east-1")["State"] == "available")
    found = api.look(copy, "us-east-1")
    assert tags(found) == {"a": "1", "b": "3"}
    assert (found["SourceImageId"], found["SourceImageRegion"], found["Description"]) == (image, REGION, "text")
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert tags(there.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]) == {"c": "4"}
    source = api.look(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    child = api.run(ImageId=copy, ec2=there)
    assert api.backend.specs[child].layers == (source, "debian-12")
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2 = api.client("ec2")
    locked = ec2.copy_image(Name="locked", SourceImageId=image, SourceRegion=REGION, Encrypted=True, KmsKeyId=key)[
        "ImageId"
    ]
    disk = api.look(locked)["BlockDeviceMappings"][0]["Ebs"]
    assert disk["Encrypted"]
    assert ec2.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"][0]["KmsKeyId"] == key
    wrong = ec2.copy_image(
        Name="wrong", SourceImageId=image, SourceRegion=REGION, Encrypted=True, KmsKeyId=key[:-12] + "000000000000"
    )["ImageId"]
    assert api.look(wrong)["State"] == "failed"
    assert (
        code(ec2.copy_image, Name="none", SourceImageId="ami-00000000000000000", SourceRegion=REGION)
        == "InvalidAMIID.NotFound"
    )


def test_layers_go_when_nothing_stands_on_them(api: Api) -> None:
    ec2, builder = api.client("ec2"), api.run()
    parent = api.image("parent", instance=builder)
    child_builder = api.run(ImageId=parent)
    child = api.image("child", instance=child_builder)
    first, second = (api.look(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for image in (parent, child))
    assert code(ec2.delete_snapshot, SnapshotId=first) == "InvalidSnapshot.InUse"
    result = ec2.deregister_image(ImageId=parent, DeleteAssociatedSnapshots=True)
    assert result["DeleteSnapshotResults"] == [{"SnapshotId": first, "ReturnCode": "success"}]
    copy = ec2.copy_image(Name="copy", SourceImageId=child, SourceRegion=REGION)["ImageId"]
    ec2.terminate_instances(InstanceIds=[builder, child_builder])
    api.instance(child_builder, "terminated")
    ec2.deregister_image(ImageId=child)
    ec2.delete_snapshot(SnapshotId=second)
    time.sleep(0.1)
    assert api.backend.dropped == []
    ec2.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
    api.until(lambda: set(api.backend.dropped) == {first, second})
    assert code(ec2.describe_snapshots, SnapshotIds=[second]) == "InvalidSnapshot.NotFound"


def test_deregister(api: Api) -> None:
    ec2, image = api.client("ec2"), api.image("one")
    ec2.enable_image_deregistration_protection(ImageId=image)
    assert api.look(image)["DeregistrationProtection"] == "enabled"
    assert code(ec2.deregister_image, ImageId=image) == "OperationNotPermitted"
    ec2.disable_image_deregistration_protection(ImageId=image)
    assert (
        ec2.describe_image_attribute(ImageId=image, Attribute="deregistrationProtection")["DeregistrationProtection"][
            "Value"
        ]
        == "disabled"
    )
    assert code(ec2.deregister_image, ImageId=image, DryRun=True) == "DryRunOperation"
    ec2.deregister_image(ImageId=image)
    assert code(ec2.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    assert code(ec2.deregister_image, ImageId=image) == "InvalidAMIID.NotFound"
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_sharing_disabling_deprecating(api: Api) -> None:
    ec2, other, image = (
        api.client("ec2"),
        api.account(OTHER),
        api.image("one", TagSpecifications=[spec("image", a="1")]),
    )
    assert code(other.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER}]})
    assert ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"] == [
        {"UserId": OTHER}
    ]
    seen = other.describe_images(ExecutableUsers=["self"])["Images"]
    assert [(i["ImageId"], i.get("Tags", [])) for i in seen] == [(image, [])]
    api.run(ImageId=image, ec2=other)
    assert code(other.deregister_image, ImageId=image) == "AuthFailure"
    assert code(other.create_image, InstanceId="i-00000000000000000", Name="xxx") == "InvalidInstanceID.NotFound"
    assert code(other.copy_image, Name="stolen", SourceImageId=image, SourceRegion=REGION) == "InvalidRequest"
    snapshot = api.look(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, OperationType="add", UserIds=[OTHER], Attribute="createVolumePermission"
    )
    assert other.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert other.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    other.copy_image(Name="copied", SourceImageId=image, SourceRegion=REGION)
    at = datetime.now(UTC) + timedelta(days=1)
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=at)
    assert api.look(image)["DeprecationTime"].endswith(":00.000Z")
    assert (
        code(ec2.enable_image_deprecation, ImageId=image, DeprecateAt=datetime(2020, 1, 1, tzinfo=UTC))
        == "InvalidParameterValue"
    )
    ec2.disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in api.look(image)
    ec2.disable_image(ImageId=image)
    assert ec2.describe_images(ImageIds=[image])["Images"] == []
    assert api.look(image, IncludeDisabled=True)["State"] == "disabled"
    assert code(other.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    assert (
        code(ec2.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        == "InvalidAMIID.Unavailable"
    )
    ec2.enable_image(ImageId=image)
    assert api.look(image)["State"] == "available"
    assert ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"] == []


def test_attributes_and_tags(api: Api) -> None:
    ec2, image = api.client("ec2"), api.image("one")
    ec2.modify_image_attribute(ImageId=image, Description={"Value": "better"})
    assert ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"]["Value"] == "better"
    ec2.modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})
    assert api.backend.specs[api.run(ImageId=image)].http_tokens_required
    assert (
        code(ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"UserId": "12"}]})
        == "InvalidAMIAttributeItemValue"
    )
    many = spec("image", **{f"k{n}": "v" for n in range(51)})
    assert code(ec2.create_image, InstanceId=api.run(), Name="many", TagSpecifications=[many]) == "TagLimitExceeded"
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    snapshot = api.look(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.create_tags(Resources=[image, snapshot], Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])
    assert code(ec2.create_tags, Resources=[image], Tags=[{"Key": "one-more", "Value": "v"}]) == "TagLimitExceeded"
    assert code(ec2.create_tags, Resources=[snapshot], Tags=[{"Key": "AWS:x", "Value": "v"}]) == "InvalidParameterValue"
    ec2.delete_tags(Resources=[image], Tags=[{"Key": "k0"}])
    assert len(api.look(image)["Tags"]) == 49


def test_ssm_takes_only_available_images(api: Api) -> None:
    ssm, image = api.client("ssm"), api.image("one")
    put = {"Name": "/ami/web", "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**put, Value="ami-00000000000000000")["Version"] == 1
    assert code(ssm.get_parameter, Name="/ami/web") == "ParameterNotFound"
    ssm.put_parameter(**put, Value=image)
    assert code(ssm.put_parameter, **put, Value=image) == "ParameterAlreadyExists"
    ssm.put_parameter(**put, Value="ami-00000000000000000", Overwrite=True)
    assert ssm.get_parameter(Name="/ami/web")["Parameter"]["Value"] == image


def test_publish(api: Api) -> None:
    old = api.vendor()
    name = api.control("publish", {"release": "debian-12"})["name"]
    assert name.startswith("debian-12-")
    assert api.vendor() != old
    found = api.look(api.vendor(region="us-east-1"), "us-east-1")
    assert found["Name"] == name
    assert found["CreationDate"] > api.look(old)["CreationDate"]
    later = api.control("publish", {"release": "debian-12"})["name"]
    assert later > name
    spec_of_new = api.backend.specs[api.run()]
    assert spec_of_new.layers[-1].startswith("debian-12-")
