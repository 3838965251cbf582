"""Tests AMIs created through the control API, their filters and their serialization."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import OTHER_ACCOUNT, REGION, Api, tag_specification, tags_of

TAGS = {"run": "r1", "bakeline:expires": "", "odd": "a*b"}


def create_tagged_resources(api: Api) -> set[str]:
    """Creates one resource of each type with `TAGS`, and some without; returns the IDs."""
    ec2, zone = api.client("ec2"), f"{REGION}a"

    def specification(resource_type: str) -> list[dict[str, Any]]:
        return [tag_specification(resource_type, **TAGS)]

    group = ec2.create_security_group(
        GroupName="g", Description="d", TagSpecifications=specification("security-group")
    )
    key = ec2.create_key_pair(KeyName="k", TagSpecifications=specification("key-pair"))
    volume = ec2.create_volume(
        Size=1, AvailabilityZone=zone, TagSpecifications=specification("volume")
    )["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume, TagSpecifications=specification("snapshot"))
    instance = api.run_instance(TagSpecifications=specification("instance"))
    (image,) = api.add_images({"name": "one", "tags": TAGS})
    ec2.create_volume(Size=1, AvailabilityZone=zone)
    ec2.create_key_pair(KeyName="other")
    ids = {group["GroupId"], key["KeyPairId"], volume, snapshot["SnapshotId"]}
    return ids | {instance, image}


def list_resources(api: Api, *filters: tuple[str, list[str]]) -> set[str]:
    """Returns the IDs of all resources that match the filters."""
    ec2 = api.client("ec2")
    options = {"Filters": [{"Name": name, "Values": values} for name, values in filters]}
    reservations = ec2.describe_instances(**options)["Reservations"]
    instances = [entry for reservation in reservations for entry in reservation["Instances"]]
    snapshots = ec2.describe_snapshots(OwnerIds=["self"], **options)["Snapshots"]
    return {
        *(entry["InstanceId"] for entry in instances),
        *(entry["VolumeId"] for entry in ec2.describe_volumes(**options)["Volumes"]),
        *(entry["SnapshotId"] for entry in snapshots),
        *(entry["KeyPairId"] for entry in ec2.describe_key_pairs(**options)["KeyPairs"]),
        *(entry["GroupId"] for entry in ec2.describe_security_groups(**options)["SecurityGroups"]),
        *api.image_ids(Owners=["self"], **options),
    }


def test_tag_filters_work_for_all_resource_types(api: Api) -> None:
    resources = create_tagged_resources(api)
    for name, values in {
        "tag-key": ["bakeline:*", "none"],
        "tag:run": ["none", "r?"],
        "tag:odd": [r"a\*b"],
        "tag:bakeline:expires": [""],
    }.items():
        assert list_resources(api, (name, values)) == resources, name
    assert list_resources(api, ("tag:run", ["r"])) == set()
    assert list_resources(api, ("tag-key", ["run"]), ("tag:odd", ["a"])) == set()


def test_empty_tag_values_are_kept(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    key = ec2.create_key_pair(KeyName="k")["KeyPairId"]
    ec2.create_tags(Resources=[image, group, key], Tags=[{"Key": "empty", "Value": ""}])
    assert list_resources(api, ("tag-key", ["empty"])) == {group, key, image}
    assert tags_of(api.describe_image(image))["empty"] == ""


def test_serialization_equals_that_of_moto(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core.responses import ActionResult
    from moto.ec2.responses import EC2Response

    from bakeline_sandbox.ec2 import serialization

    odd_tags = {"a<b>&": 'é "quoted" & <tag>', "empty": "", "spaces": "  two  "}
    api.add_images(
        {
            "name": "a",
            "tags": odd_tags,
            "description": "<&>",
            "launched": "2026-01-01T00:00:00Z",
            "deprecated": "2036-01-01T00:00:00Z",
            "protection": "enabled",
        },
        {"name": "b", "shared": ["all", OTHER_ACCOUNT]},
        {"name": "c", "state": "failed"},
        {"name": "d", "state": "disabled"},
        {"name": "e", "source": "r:ami-1"},
    )
    ec2 = api.client("ec2")
    frozen = api.create_image("frozen")
    ec2.modify_image_attribute(ImageId=frozen, ImdsSupport={"Value": "v2.0"})
    ours = ec2.describe_images(IncludeDisabled=True, MaxResults=7)

    def serialize_with_moto(images: Any, token: str | None) -> ActionResult:
        return ActionResult({"Images": images, "NextToken": token})

    monkeypatch.setattr(serialization, "ImagesResult", serialize_with_moto)
    transformers = EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER
    monkeypatch.setitem(transformers, "Image.CreationDate", serialization.format_time)
    theirs = ec2.describe_images(IncludeDisabled=True, MaxResults=7)
    assert len(ours["Images"]) == 7
    for response in (ours, theirs):
        del response["ResponseMetadata"]
    for image in ours["Images"]:
        assert image.pop("SriovNetSupport") == "simple"  # EC2 has it, moto does not
        image.setdefault("Tags", [])  # EC2 omits empty lists of tags
    assert ours == theirs


def test_describe_images_lists_five_thousand_amis(api: Api) -> None:
    first_day = datetime(2026, 1, 1, tzinfo=UTC)
    ids = api.add_images(
        *(
            {
                "name": f"shop/web/x86_64/{number}",
                "created": (first_day + timedelta(hours=number)).isoformat(),
                "tags": {f"bakeline:{key}": f"{number}" for key in "abcdefghijklmno"},
            }
            for number in range(5000)
        )
    )
    ec2 = api.client("ec2")
    assert len(api.image_ids(Owners=["self"])) == 5000
    pages = ec2.get_paginator("describe_images").paginate(
        Owners=["self"],
        Filters=[{"Name": "tag-key", "Values": ["bakeline:a"]}],
        PaginationConfig={"PageSize": 1000},
    )
    assert [image["ImageId"] for page in pages for image in page["Images"]] == ids
    assert len(api.image_ids(ImageIds=ids[:100])) == 100


def test_control_images_sets_all_fields(api: Api) -> None:
    disabled, failed, pending = api.add_images(
        {
            "name": "a",
            "id": "ami-0123456789abcdef0",
            "state": "disabled",
            "tags": {"x": ""},
            "source": "us-east-1:ami-1",
        },
        {"name": "b", "state": "failed", "region": "us-east-1", "account": OTHER_ACCOUNT},
        {
            "name": "c",
            "state": "pending",
            "launched": "2026-01-01T00:00:00Z",
            "snapshot_tags": {"s": "t"},
        },
    )
    description = api.describe_image(disabled, IncludeDisabled=True)
    assert description["ImageId"] == "ami-0123456789abcdef0"
    assert (description["State"], tags_of(description)) == ("disabled", {"x": ""})
    assert description["SourceImageRegion"] == "us-east-1"
    assert description["SourceImageId"] == "ami-1"
    other = api.account_client(OTHER_ACCOUNT, region="us-east-1")
    description = other.describe_images(ImageIds=[failed])["Images"][0]
    assert (description["State"], description["Name"]) == ("failed", "b")
    assert description["OwnerId"] == OTHER_ACCOUNT
    description = api.describe_image(pending)
    assert description["State"] == "pending"
    assert description["LastLaunchedTime"] == "2026-01-01T00:00:00.000Z"
    snapshots = api.client("ec2").describe_snapshots(SnapshotIds=[api.snapshot_id(pending)])
    assert tags_of(snapshots["Snapshots"][0]) == {"s": "t"}


def test_control_images_rejects_all_if_one_is_wrong(api: Api) -> None:
    (image,) = api.add_images({"name": "a"})
    with pytest.raises(Exception, match="400"):
        api.add_images({"name": "d"}, {"name": "e", "state": "odd"})
    with pytest.raises(Exception, match="400"):
        api.add_images({"name": "d"}, {"name": "e", "id": image})
    assert api.image_ids(Owners=["self"], IncludeDisabled=True) == [image]
