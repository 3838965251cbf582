"""Tests the condition `visibility`: new resources, tags and permissions become visible later."""

from __future__ import annotations

import time
from typing import Any

import pytest
from conftest import OTHER_ACCOUNT, REGION, Api, assert_error, tag_specification, tags_of
from test_api_accounts import share_image, share_snapshot
from test_api_security_groups import ALLOW_SSH, create_group

LONG = 600  # seconds; a test ends the delay with `visibility {}`
LAUNCH: dict[str, Any] = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
CODES = {
    "security-group": "InvalidGroup.NotFound",
    "key-pair": "InvalidKeyPair.NotFound",
    "instance": "InvalidInstanceID.NotFound",
    "image": "InvalidAMIID.NotFound",
    "snapshot": "InvalidSnapshot.NotFound",
}


def by_tag(name: str) -> dict[str, Any]:
    return {"Filters": [{"Name": f"tag:{name}", "Values": ["*"]}]}


def test_new_security_group_is_not_found_until_the_delay_is_over(api: Api) -> None:
    ec2, code, image = api.client("ec2"), CODES["security-group"], api.vendor_image()
    api.control("visibility", {"security-group": LONG})
    group = create_group(ec2, "g")
    tags = {"Resources": [group], "Tags": [{"Key": "a", "Value": "b"}]}
    ingress = {"GroupId": group, "IpPermissions": ALLOW_SSH}
    launch = {"ImageId": image, "SecurityGroupIds": [group], **LAUNCH}

    def names() -> set[str]:
        return {entry["GroupName"] for entry in ec2.describe_security_groups()["SecurityGroups"]}

    assert_error(code, ec2.describe_security_groups, GroupIds=[group])
    assert_error(code, ec2.authorize_security_group_ingress, **ingress)
    assert_error(code, ec2.delete_security_group, GroupId=group)
    assert_error(code, ec2.run_instances, **launch)
    assert_error(code, ec2.create_tags, **tags)
    assert names() == {"default"}
    assert_error("InvalidGroup.Duplicate", create_group, ec2=ec2, name="g")
    api.control("visibility", {})
    assert names() == {"default", "g"}
    ec2.authorize_security_group_ingress(**ingress)
    ec2.create_tags(**tags)
    ec2.delete_security_group(GroupId=group)


def test_new_key_pair_is_not_found_until_the_delay_is_over(api: Api) -> None:
    ec2, code, image = api.client("ec2"), CODES["key-pair"], api.vendor_image()
    api.control("visibility", {"key-pair": LONG})
    ec2.create_key_pair(KeyName="k")
    assert_error(code, ec2.describe_key_pairs, KeyNames=["k"])
    assert_error(code, ec2.run_instances, ImageId=image, KeyName="k", **LAUNCH)
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert_error("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="k")
    ec2.delete_key_pair(KeyName="k")
    api.control("visibility", {})
    assert ec2.describe_key_pairs()["KeyPairs"] == [], "a deletion by name has an effect"


def test_new_instance_is_not_found_until_the_delay_is_over(api: Api) -> None:
    ec2, code, image = api.client("ec2"), CODES["instance"], api.vendor_image()
    group = create_group(ec2, "g")
    api.control("visibility", {"instance": LONG})
    launch = {"ImageId": image, "SecurityGroupIds": [group], **LAUNCH}
    tags = [tag_specification("instance", run="1")]
    instance = ec2.run_instances(**launch, TagSpecifications=tags)["Instances"][0]["InstanceId"]
    for call in (ec2.describe_instances, ec2.terminate_instances, ec2.stop_instances):
        assert_error(code, call, InstanceIds=[instance])
    assert_error(code, ec2.create_tags, Resources=[instance], Tags=[{"Key": "a", "Value": "b"}])
    assert_error(code, ec2.create_image, InstanceId=instance, Name="one")
    assert ec2.describe_instances(**by_tag("run"))["Reservations"] == []
    assert_error("DependencyViolation", ec2.delete_security_group, GroupId=group)
    api.control("visibility", {})
    api.wait_for_instance(instance, "running")
    ec2.terminate_instances(InstanceIds=[instance])


def test_new_image_and_snapshot_are_not_found_until_the_delay_is_over(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    other = api.client("ec2", "us-east-1")
    api.control("visibility", {"image": LONG, "snapshot": LONG})
    image = ec2.create_image(InstanceId=instance, Name="one")["ImageId"]
    assert_error(CODES["image"], ec2.describe_images, ImageIds=[image])
    assert_error(CODES["image"], ec2.deregister_image, ImageId=image)
    assert_error(CODES["image"], ec2.run_instances, ImageId=image, **LAUNCH)
    copy = {"Name": "copy", "SourceRegion": REGION, "SourceImageId": image}
    assert_error(CODES["image"], other.copy_image, **copy)
    assert api.image_ids(Owners=["self"]) == []
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    name = {"InstanceId": instance, "Name": "one"}
    assert_error("InvalidAMIName.Duplicate", ec2.create_image, **name)
    api.control("visibility", {"snapshot": LONG})
    snapshot = api.snapshot_id(image)
    assert_error(CODES["snapshot"], ec2.delete_snapshot, SnapshotId=snapshot)
    assert_error(CODES["snapshot"], ec2.describe_snapshots, SnapshotIds=[snapshot])
    result = ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert result["DeleteSnapshotResults"][0]["ReturnCode"] == "success"
    api.control("visibility", {})
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == [], "it was deleted"


def test_snapshot_of_hidden_image_is_not_deleted(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    api.control("visibility", {"image": LONG})
    ec2.create_image(InstanceId=instance, Name="one")
    snapshot = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]["SnapshotId"]
    assert_error("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)


def test_new_tags_do_not_show_in_lists_and_filters(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one", "tags": {"a": "1"}})
    api.control("visibility", {"tag": LONG})
    ec2.create_tags(Resources=[image], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    ec2.delete_tags(Resources=[image], Tags=[{"Key": "c"}])

    def listed_tags() -> dict[str, str]:
        return tags_of(ec2.describe_images(Owners=["self"])["Images"][0])

    assert listed_tags() == {"a": "1"}
    assert api.image_ids(**by_tag("b")) == []
    keys = [tag["Key"] for tag in ec2.describe_tags()["Tags"]]
    assert keys == ["a"]
    assert tags_of(api.describe_image(image)) == {"a": "2", "b": ""}, "a call that names the ID"
    api.control("visibility", {})
    assert listed_tags() == {"a": "2", "b": ""}
    assert api.image_ids(**by_tag("b")) == [image]


def test_tags_of_a_launch_do_not_match_filters_at_once(api: Api) -> None:
    ec2, image = api.client("ec2"), api.vendor_image()
    api.control("visibility", {"tag": LONG})
    launch = {"ImageId": image, "TagSpecifications": [tag_specification("instance", run="1")]}
    ec2.run_instances(**launch, **LAUNCH)
    assert ec2.describe_instances(**by_tag("run"))["Reservations"] == []
    assert len(ec2.describe_instances()["Reservations"]) == 1
    api.control("visibility", {})
    assert len(ec2.describe_instances(**by_tag("run"))["Reservations"]) == 1


def test_new_permission_does_not_allow_a_copy(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    target = api.account_client(OTHER_ACCOUNT, region="us-east-1")
    copy = {"Name": "one", "SourceImageId": image, "SourceRegion": REGION}
    share_image(api, image)
    api.control("visibility", {"launch-permission": LONG})
    share_snapshot(api, image)
    with pytest.raises(target.exceptions.ClientError) as caught:
        target.copy_image(**copy)
    text = "You do not have permission to access the storage of this ami"
    assert caught.value.response["Error"] == {"Code": "InvalidRequest", "Message": text}
    share_snapshot(api, image)  # again: does not begin a new delay
    api.control("visibility", {})
    target.copy_image(**copy)


def test_deregistered_image_stays_in_lists_for_a_while(api: Api) -> None:
    ec2 = api.client("ec2")
    (image,) = api.add_images({"name": "one", "tags": {"a": "1"}})
    other = api.account_client(OTHER_ACCOUNT)
    share_image(api, image)
    api.control("visibility", {"deregistered": LONG})
    ec2.deregister_image(ImageId=image)
    listed = ec2.describe_images(Owners=["self"], **by_tag("a"))["Images"]
    assert [(entry["State"], tags_of(entry)) for entry in listed] == [("deregistered", {"a": "1"})]
    assert api.describe_image(image)["State"] == "deregistered"
    assert api.image_ids(other, Owners=["self"]) == []
    assert_error(CODES["image"], ec2.run_instances, ImageId=image, **LAUNCH)
    assert_error(CODES["image"], ec2.deregister_image, ImageId=image)
    api.add_images({"name": "one"})  # the name is free
    api.control("visibility", {})
    assert_error(CODES["image"], ec2.describe_images, ImageIds=[image])


def test_prepared_images_are_visible_at_once(api: Api) -> None:
    api.control("visibility", {"image": LONG, "snapshot": LONG, "tag": LONG})
    entry = {"name": "one", "tags": {"b": "1"}, "snapshot_tags": {"b": "2"}}
    (image,) = api.add_images(entry)
    assert api.image_ids(**by_tag("b")) == [image]
    assert len(api.client("ec2").describe_snapshots(**by_tag("b"))["Snapshots"]) == 1


def test_settle_ends_the_delays_of_what_exists(api: Api) -> None:
    ec2, code = api.client("ec2"), CODES["key-pair"]
    first, second = api.add_images({"name": "one"}, {"name": "two"})
    api.control("visibility", {"key-pair": LONG, "tag": LONG, "deregistered": LONG})
    ec2.create_key_pair(KeyName="k")
    ec2.create_tags(Resources=[first], Tags=[{"Key": "b", "Value": ""}])
    ec2.deregister_image(ImageId=second)
    assert api.control("settle", {}) == {"settled": 3}
    ec2.describe_key_pairs(KeyNames=["k"])
    assert api.image_ids(**by_tag("b")) == [first]
    assert_error(CODES["image"], ec2.describe_images, ImageIds=[second])
    ec2.create_key_pair(KeyName="l")
    assert_error(code, ec2.describe_key_pairs, KeyNames=["l"])
    assert api.control("visibility")["tag"] == LONG


def test_delay_ends_by_itself(api: Api) -> None:
    ec2, seconds = api.client("ec2"), 1.0
    api.control("visibility", {"key-pair": seconds})
    started_at = time.monotonic()
    ec2.create_key_pair(KeyName="k")
    while not ec2.describe_key_pairs()["KeyPairs"]:
        time.sleep(0.05)
        assert time.monotonic() < started_at + 60
    assert time.monotonic() >= started_at + seconds


def test_visibility_is_reset_and_validated(api: Api) -> None:
    api.control("visibility", {"image": 1.5, "tag": 2})
    assert api.control("visibility") == {"image": 1.5, "tag": 2}
    api.control("reset", {})
    assert api.control("visibility") == {}
    for body, text in (
        ({"images": 1}, "the body has an unknown member 'images'; known are: security-group,"),
        ({"image": "1"}, "image must be a number of at least 0, and not '1'"),
        ({"image": -1}, "image must be a number of at least 0, and not -1"),
        ([], "the body must be an object, and not []"),
    ):
        status, error = api.try_control("visibility", body)
        assert status == 400
        assert error.startswith(f"visibility: {text}")


def test_shared_image_is_not_visible_until_the_permission_is_in_effect(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    other = api.account_client(OTHER_ACCOUNT)
    api.control("visibility", {"launch-permission": LONG})
    share_image(api, image)
    assert_error(CODES["image"], other.describe_images, ImageIds=[image])
    assert_error(CODES["image"], other.run_instances, ImageId=image, **LAUNCH)
    api.control("visibility", {})
    assert api.image_ids(other, ImageIds=[image]) == [image]
