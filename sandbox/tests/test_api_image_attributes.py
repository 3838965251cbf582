"""Tests protection, sharing, deprecation, attributes and tags of AMIs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conftest import (
    OTHER_ACCOUNT,
    REGION,
    Api,
    assert_error,
    tag_specification,
    tags_of,
)

MISSING_IMAGE = "ami-00000000000000000"
RUN = {"MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}


def test_deregister_image_respects_protection(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one")
    ec2.enable_image_deregistration_protection(ImageId=image)
    assert api.describe_image(image)["DeregistrationProtection"] == "enabled"
    assert_error("OperationNotPermitted", ec2.deregister_image, ImageId=image)
    ec2.disable_image_deregistration_protection(ImageId=image)
    name = "deregistrationProtection"
    attribute = ec2.describe_image_attribute(ImageId=image, Attribute=name)
    assert attribute["DeregistrationProtection"]["Value"] == "disabled"
    assert_error("DryRunOperation", ec2.deregister_image, ImageId=image, DryRun=True)
    ec2.deregister_image(ImageId=image)
    assert_error("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[image])
    assert_error("InvalidAMIID.NotFound", ec2.deregister_image, ImageId=image)
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_shared_image_is_usable_but_not_changeable(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    image = api.create_image("one", TagSpecifications=[tag_specification("image", a="1")])
    assert_error("InvalidAMIID.NotFound", other.describe_images, ImageIds=[image])
    permission = {"UserId": OTHER_ACCOUNT}
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [permission]})
    attribute = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    assert attribute["LaunchPermissions"] == [permission]
    images = other.describe_images(ExecutableUsers=["self"])["Images"]
    assert [(entry["ImageId"], tags_of(entry)) for entry in images] == [(image, {})]
    api.run_instance(ImageId=image, ec2=other)
    assert_error("AuthFailure", other.deregister_image, ImageId=image)
    missing = {"InstanceId": "i-00000000000000000", "Name": "xxx"}
    assert_error("InvalidInstanceID.NotFound", other.create_image, **missing)


def test_copy_of_shared_image_needs_shared_snapshot(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    (image,) = api.add_images({"name": "one", "shared": [OTHER_ACCOUNT]})
    source = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION}
    assert_error("InvalidRequest", other.copy_image, **source)
    snapshot_id = api.snapshot_id(image)
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot_id,
        OperationType="add",
        UserIds=[OTHER_ACCOUNT],
        Attribute="createVolumePermission",
    )
    assert other.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert other.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    other.copy_image(**source)


def test_deprecation_is_set_to_the_minute(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    enable = ec2.enable_image_deprecation
    enable(ImageId=image, DeprecateAt=datetime.now(UTC) + timedelta(days=1))
    assert api.describe_image(image)["DeprecationTime"].endswith(":00.000Z")
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert_error("InvalidParameterValue", enable, ImageId=image, DeprecateAt=past)
    ec2.disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in api.describe_image(image)


def test_disabled_image_loses_its_permissions(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    (image,) = api.add_images({"name": "one", "shared": [OTHER_ACCOUNT]})
    ec2.disable_image(ImageId=image)
    assert api.image_ids(ImageIds=[image]) == []
    assert api.describe_image(image, IncludeDisabled=True)["State"] == "disabled"
    assert_error("InvalidAMIID.NotFound", other.describe_images, ImageIds=[image])
    assert_error("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=image, **RUN)
    ec2.enable_image(ImageId=image)
    assert api.describe_image(image)["State"] == "available"
    attribute = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    assert attribute["LaunchPermissions"] == []


def test_image_attributes_are_modified(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one")
    modify = ec2.modify_image_attribute
    modify(ImageId=image, Description={"Value": "better"})
    attribute = ec2.describe_image_attribute(ImageId=image, Attribute="description")
    assert attribute["Description"]["Value"] == "better"
    modify(ImageId=image, ImdsSupport={"Value": "v2.0"})
    instance = api.run_instance(ImageId=image)
    assert api.backend.specs[instance].http_tokens_required
    permission = {"Add": [{"UserId": "12"}]}
    code = "InvalidAMIAttributeItemValue"
    assert_error(code, modify, ImageId=image, LaunchPermission=permission)


def test_tags_are_limited_and_reserved(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    instance = api.run_instance()
    too_many = tag_specification("image", **{f"k{number}": "v" for number in range(51)})
    options = {"InstanceId": instance, "Name": "many", "TagSpecifications": [too_many]}
    assert_error("TagLimitExceeded", ec2.create_image, **options)
    assert api.image_ids(Owners=["self"]) == [image]
    snapshot_id = api.snapshot_id(image)
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    ec2.create_tags(Resources=[image, snapshot_id], Tags=tags)
    one_more = {"Resources": [image], "Tags": [{"Key": "one-more", "Value": "v"}]}
    assert_error("TagLimitExceeded", ec2.create_tags, **one_more)
    reserved = {"Resources": [snapshot_id], "Tags": [{"Key": "AWS:x", "Value": "v"}]}
    assert_error("InvalidParameterValue", ec2.create_tags, **reserved)
    ec2.delete_tags(Resources=[image], Tags=[{"Key": "k0"}])
    assert len(api.describe_image(image)["Tags"]) == 49


ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-abcdefghij"
UNIT = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"


def test_image_is_shared_with_members_of_organization_and_unit(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    (image,) = api.add_images({"name": "one"})
    for permission, arn in (
        ({"OrganizationArn": ORGANIZATION}, ORGANIZATION),
        ({"OrganizationalUnitArn": UNIT}, UNIT),
    ):
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [permission]})
        attribute = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
        assert attribute["LaunchPermissions"] == [permission]
        assert_error("InvalidAMIID.NotFound", other.describe_images, ImageIds=[image])
        api.control("organizations", {"members": {OTHER_ACCOUNT: [arn]}})
        assert api.image_ids(other, ImageIds=[image]) == [image]
        # ExecutableUsers lists explicit permissions of accounts only.
        assert api.image_ids(other, ExecutableUsers=["self"]) == []
        api.run_instance(ImageId=image, ec2=other)
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [permission]})
        assert_error("InvalidAMIID.NotFound", other.describe_images, ImageIds=[image])
        api.control("organizations", {})


def test_organization_of_a_permission_is_an_arn(api: Api) -> None:
    modify, (image,) = api.client("ec2").modify_image_attribute, api.add_images({"name": "one"})
    for permission in ({"OrganizationArn": UNIT}, {"OrganizationalUnitArn": "ou-abcd-12345678"}):
        add = {"ImageId": image, "LaunchPermission": {"Add": [permission]}}
        assert_error("InvalidAMIAttributeItemValue", modify, **add)
