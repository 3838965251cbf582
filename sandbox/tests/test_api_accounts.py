"""Tests that accounts are isolated and can share AMIs."""

from __future__ import annotations

from typing import Any

from conftest import (
    OTHER_ACCOUNT,
    REGION,
    Api,
    assert_error,
    tag_specification,
    tags_of,
    wait_until,
)

THIRD_ACCOUNT = "333333333333"
DRY_RUN: dict[str, Any] = {
    "MinCount": 1,
    "MaxCount": 1,
    "InstanceType": "t3.micro",
    "DryRun": True,
}


def share_image(api: Api, image: str) -> None:
    permission = {"Add": [{"UserId": OTHER_ACCOUNT}]}
    api.client("ec2").modify_image_attribute(ImageId=image, LaunchPermission=permission)


def share_snapshot(api: Api, image: str) -> None:
    api.client("ec2").modify_snapshot_attribute(
        SnapshotId=api.snapshot_id(image),
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=[OTHER_ACCOUNT],
    )


def test_launch_needs_permission_of_the_owner(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    (image,) = api.add_images({"name": "one"})
    assert_error("DryRunOperation", ec2.run_instances, ImageId=image, **DRY_RUN)
    assert_error("AuthFailure", other.run_instances, ImageId=image, **DRY_RUN)
    missing = "ami-00000000000000000"
    assert_error("InvalidAMIID.NotFound", other.run_instances, ImageId=missing, **DRY_RUN)
    share_image(api, image)
    assert_error("DryRunOperation", other.run_instances, ImageId=image, **DRY_RUN)


def test_dry_run_validates_all_parameters(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    for parameter, value, code in (
        ("SubnetId", "subnet-00000000", "InvalidSubnetID.NotFound"),
        ("SecurityGroupIds", ["sg-00000000"], "InvalidGroup.NotFound"),
        ("KeyName", "none", "InvalidKeyPair.NotFound"),
        ("InstanceType", "t0.none", "InvalidParameterValue"),
    ):
        options = {"ImageId": image, **DRY_RUN, parameter: value}
        assert_error(code, ec2.run_instances, **options)
    assert ec2.describe_instances()["Reservations"] == []


def test_tags_belong_to_one_account(api: Api) -> None:
    other, (image,) = api.account_client(OTHER_ACCOUNT), api.add_images({"name": "one"})
    share_image(api, image)
    other.create_tags(Resources=[image], Tags=[{"Key": "theirs", "Value": "1"}])
    described = other.describe_images(ImageIds=[image])["Images"][0]
    assert tags_of(described) == {"theirs": "1"}
    assert tags_of(api.describe_image(image)) == {}


def test_shared_image_is_copied_to_other_account(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    share_image(api, image)
    share_snapshot(api, image)
    remote = api.account_client(OTHER_ACCOUNT, region="us-east-1")
    copy = remote.copy_image(
        Name="one",
        SourceImageId=image,
        SourceRegion=REGION,
        TagSpecifications=[tag_specification("image", a="1")],
    )["ImageId"]

    def describe_copy() -> Any:
        description = remote.describe_images(ImageIds=[copy])["Images"][0]
        return description if description["State"] == "available" else None

    description = wait_until(describe_copy)
    assert description["OwnerId"] == OTHER_ACCOUNT
    assert description["SourceImageId"] == image
    assert tags_of(description) == {"a": "1"}
    instance = api.run_instance(ImageId=copy, ec2=remote)
    assert api.backend.specs[instance].account == OTHER_ACCOUNT
    third = api.account_client(THIRD_ACCOUNT)
    assert api.image_ids(third, Owners=["self", OTHER_ACCOUNT]) == []


def test_ami_parameter_needs_image_of_the_account(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    share_image(api, image)
    parameter = {"Name": "/a", "Type": "String", "DataType": "aws:ec2:image", "Value": image}
    other = api.account_client(OTHER_ACCOUNT, "ssm")
    third = api.account_client(THIRD_ACCOUNT, "ssm")
    other.put_parameter(**parameter)
    third.put_parameter(**parameter)
    assert other.get_parameter(Name="/a")["Parameter"]["Value"] == image
    assert_error("ParameterNotFound", third.get_parameter, Name="/a")
    assert_error("ParameterNotFound", api.client("ssm").get_parameter, Name="/a")


def test_role_can_assume_role_of_another_account(api: Api) -> None:
    arn = f"arn:aws:iam::{THIRD_ACCOUNT}:role/x"
    sts = api.account_client(OTHER_ACCOUNT, "sts")
    role = sts.assume_role(RoleArn=arn, RoleSessionName="further")
    assert f":{THIRD_ACCOUNT}:" in role["AssumedRoleUser"]["Arn"]
