"""Tests deprecation, protection, deregistration, planned failures and dates of AMIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import (
    OTHER_ACCOUNT,
    REGION,
    Api,
    assert_error,
    tag_specification,
    tags_of,
    wait_until,
)

ROOT_DEVICE = "/dev/xvda"


def register_image(ec2: Any, name: str, snapshot: str, **options: Any) -> str:
    mappings = [{"DeviceName": ROOT_DEVICE, "Ebs": {"SnapshotId": snapshot}}]
    image = ec2.register_image(
        Name=name, RootDeviceName=ROOT_DEVICE, BlockDeviceMappings=mappings, **options
    )
    return image["ImageId"]


def test_deregister_image_reports_snapshot_deletion(api: Api) -> None:
    ec2 = api.client("ec2")
    images = api.add_images(*[{"name": f"image-{number}"} for number in range(4)])
    snapshots = [api.snapshot_id(image) for image in images]
    register_image(ec2, "user of the first snapshot", snapshots[0])
    api.control("snapshots", {"id": images[2], "code": "internal-error"})
    api.control("snapshots", {"id": snapshots[3], "code": "missing-permissions"})
    codes = ["skipped", "success", "internal-error", "missing-permissions"]
    for image, snapshot, code in zip(images, snapshots, codes, strict=True):
        response = ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
        assert response["Return"] is True
        result = {"SnapshotId": snapshot, "ReturnCode": code}
        assert response["DeleteSnapshotResults"] == [result]
    described = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    remaining = {snapshot["SnapshotId"] for snapshot in described}
    assert remaining == {snapshots[0], snapshots[2], snapshots[3]}
    ec2.delete_snapshot(SnapshotId=snapshots[2])


def test_snapshot_of_several_images_is_deleted_with_the_last(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    snapshot = api.snapshot_id(image)
    specification = tag_specification("image", a="1")
    second = register_image(ec2, "second", snapshot, TagSpecifications=[specification])
    assert tags_of(api.describe_image(second)) == {"a": "1"}
    assert api.snapshot_id(second) == snapshot
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert_error("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
    third = register_image(ec2, "third", snapshot)
    ec2.deregister_image(ImageId=third)
    assert_error("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
    response = ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)
    result = {"SnapshotId": snapshot, "ReturnCode": "success"}
    assert response["DeleteSnapshotResults"] == [result]
    mappings = [{"DeviceName": ROOT_DEVICE, "Ebs": {"SnapshotId": snapshot}}]
    assert_error(
        "InvalidSnapshot.NotFound", ec2.register_image, Name="late", BlockDeviceMappings=mappings
    )


def test_protection_with_cooldown_lasts_a_day(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    protection = api.describe_image(image)["DeregistrationProtection"]
    assert protection == "enabled-with-cooldown"
    ec2.disable_image_deregistration_protection(ImageId=image)
    assert_error("OperationNotPermitted", ec2.deregister_image, ImageId=image)
    api.control("backdate", {"image": image, "days": 2})
    ec2.deregister_image(ImageId=image)


def test_plans_of_copies_are_removed(api: Api) -> None:
    (image,) = api.add_images({"name": "planned"})
    assert api.control("copies", {"fail": "out of disks", "times": 9})["copies"] == 9
    assert api.control("copies", {"times": 0})["copies"] == 0
    ec2 = api.client("ec2")
    copy = ec2.copy_image(Name="copy", SourceImageId=image, SourceRegion=REGION)["ImageId"]
    wait_until(lambda: api.describe_image(copy)["State"] == "available")


def test_copies_take_time_and_fail_as_planned(api: Api) -> None:
    remote = api.client("ec2", "us-east-1")
    (image,) = api.add_images({"name": "one", "tags": {"a": "1"}})
    source = {"SourceImageId": image, "SourceRegion": REGION}
    plan = {"seconds": 2, "fail": "out of disks", "region": "us-east-1"}
    api.control("copies", plan)
    local = api.client("ec2").copy_image(Name="local", **source)["ImageId"]

    def remote_state(image: str) -> str:
        return api.describe_image(image, "us-east-1")["State"]

    late = remote.copy_image(Name="late", **source, ClientToken="x")["ImageId"]
    assert remote.copy_image(Name="late", **source, ClientToken="x")["ImageId"] == late
    copy = remote.copy_image
    mismatch, duplicate = "IdempotentParameterMismatch", "InvalidAMIName.Duplicate"
    assert_error(mismatch, copy, Name="other", **source, ClientToken="x")
    assert_error(duplicate, copy, Name="late", **source, ClientToken="y")
    assert remote_state(late) == "pending"
    run = {"ImageId": late, "MinCount": 1, "MaxCount": 1}
    assert_error("InvalidAMIID.Unavailable", remote.run_instances, **run)
    wait_until(lambda: api.describe_image(local)["State"] == "available")
    assert remote_state(late) == "pending"
    wait_until(lambda: remote_state(late) == "failed")
    reason = api.describe_image(late, "us-east-1")["StateReason"]
    assert reason["Message"] == "out of disks"
    snapshot = remote.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]
    assert snapshot["State"] == "error"
    assert late in snapshot["Description"] and image in snapshot["Description"]
    again = remote.copy_image(Name="again", **source)["ImageId"]
    wait_until(lambda: remote_state(again) == "available")


def test_backdate_moves_all_dates(api: Api) -> None:
    ec2 = api.client("ec2")
    (image,) = api.add_images({"name": "one", "created": "2026-01-31T12:00:00Z"})
    deprecation = datetime.now(UTC) + timedelta(hours=1)
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=deprecation)
    before = api.describe_image(image)
    assert before["CreationDate"] == "2026-01-31T12:00:00.000Z"
    api.control("launched", {"image": image, "time": "2026-02-03T00:00:00Z"})
    assert api.describe_image(image)["LastLaunchedTime"] == "2026-02-03T00:00:00.000Z"
    response = api.control("backdate", {"image": image, "days": 3})
    after = api.describe_image(image)
    assert after["CreationDate"] == "2026-01-28T12:00:00.000Z"
    assert after["LastLaunchedTime"] == "2026-01-31T00:00:00.000Z"
    assert response["deprecation_time"] == after["DeprecationTime"] < before["DeprecationTime"]


def test_deprecated_and_disabled_images_are_hidden(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    (image,) = api.add_images({"name": "one", "shared": [OTHER_ACCOUNT]})
    deprecation = datetime.now(UTC) + timedelta(hours=1)
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt=deprecation)
    shared, own = {"ExecutableUsers": ["self"]}, {"Owners": ["self"]}
    assert api.image_ids(other, **shared) == [image]
    api.control("backdate", {"image": image, "days": 3})
    assert api.image_ids(other, **shared) == []
    assert api.image_ids(other, **shared, IncludeDeprecated=True) == [image]
    assert api.image_ids(**own) == [image]
    ec2.disable_image(ImageId=image)
    assert api.image_ids(**own) == []
    assert api.image_ids(**own, IncludeDisabled=True) == [image]
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)


def test_public_image_is_deprecated_within_two_years(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "public", "shared": ["all"]})
    late = datetime.now(UTC) + timedelta(days=800)
    deprecation = {"ImageId": image, "DeprecateAt": late}
    assert_error("InvalidParameterValue", ec2.enable_image_deprecation, **deprecation)


def test_backdate_changes_dates_of_temporary_resources(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    key = ec2.create_key_pair(KeyName="packer_1")["KeyPairId"]
    volume = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    for name in (instance, "packer_1", volume, snapshot):
        api.control("backdate", {"id": name, "days": 7})
    dates = [
        ec2.describe_instances()["Reservations"][0]["Instances"][0]["LaunchTime"],
        ec2.describe_key_pairs(KeyPairIds=[key])["KeyPairs"][0]["CreateTime"],
        ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["CreateTime"],
        ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["StartTime"],
    ]
    for date in dates:
        assert abs(datetime.now(UTC) - timedelta(days=7) - date) < timedelta(minutes=1)
    with pytest.raises(Exception, match="400"):
        api.control("backdate", {"id": "none", "days": 7})


def test_ami_parameter_is_written_after_delay(api: Api) -> None:
    ssm, (image,) = api.client("ssm"), api.add_images({"name": "one"})
    api.control("parameters", {"seconds": 2})
    parameter = {"Name": "/a", "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**parameter, Value=image)["Version"] == 1
    assert_error("ParameterNotFound", ssm.get_parameter, Name="/a")
    filters = [{"Key": "Name", "Option": "Equals", "Values": ["/a"]}]
    wait_until(lambda: ssm.describe_parameters(ParameterFilters=filters)["Parameters"])
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == image
