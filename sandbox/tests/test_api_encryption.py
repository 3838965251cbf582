"""Tests the condition `encryption`: default encryption, keys of copies, and access to keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error, wait_until
from test_api_accounts import share_image, share_snapshot
from test_api_policies import Session, allow, document, error_of
from test_api_visibility import LAUNCH

OTHER_REGION = "us-east-1"


def create_key(api: Api, *principals: str, region: str = REGION, **options: Any) -> str:
    """Creates a customer key whose policy names these principals."""
    own = f"arn:aws:iam::{ACCOUNT}:root"
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": ["kms:Decrypt", "kms:CreateGrant"] if principal != own else "kms:*",
            "Resource": "*",
            **(options if principal != own else {}),
        }
        for principal in (own, *principals)
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    kms = api.client("kms", region)
    return str(kms.create_key(Policy=policy)["KeyMetadata"]["Arn"])


def disk_of(api: Api, image: str, ec2: Any = None) -> tuple[bool, str | None]:
    """Returns whether an AMI is encrypted, and the key of its snapshot."""
    ec2 = ec2 or api.client("ec2")
    disk = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]
    snapshot = ec2.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"][0]
    assert disk["Encrypted"] == snapshot["Encrypted"]
    return disk["Encrypted"], snapshot.get("KmsKeyId")


def volume_of(ec2: Any, instance: str) -> tuple[bool, str | None]:
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    (volume,) = ec2.describe_volumes(Filters=filters)["Volumes"]
    return volume["Encrypted"], volume.get("KmsKeyId")


def managed_key(api: Api, region: str = REGION) -> str:
    keys = api.client("kms", region).describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert keys["KeyManager"] == "AWS"
    return str(keys["Arn"])


def settings_of(ec2: Any) -> tuple[bool, str]:
    enabled = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    return enabled, ec2.get_ebs_default_kms_key_id()["KmsKeyId"]


@pytest.mark.parametrize("is_customer_key", [False, True])
def test_builds_are_encrypted_by_default(api: Api, is_customer_key: bool) -> None:
    ec2, key = api.client("ec2"), create_key(api)
    default = {"account": ACCOUNT, "region": REGION} | ({"kms_key": key} if is_customer_key else {})
    api.control("encryption", {"defaults": [default]})
    assert settings_of(ec2) == (True, key if is_customer_key else "alias/aws/ebs")
    instance = api.run_instance()
    expected = (True, key if is_customer_key else managed_key(api))
    assert volume_of(ec2, instance) == expected
    image = api.create_image("one", instance=instance)
    assert disk_of(api, image) == expected
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    volume = ec2.describe_volumes(Filters=filters)["Volumes"][0]["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)
    assert snapshot["Encrypted"]
    described = ec2.describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])["Snapshots"][0]
    assert described["KmsKeyId"] == expected[1]
    other = api.client("ec2", OTHER_REGION)
    assert settings_of(other) == (False, "alias/aws/ebs")
    unencrypted = api.run_instance(ec2=other, ImageId=api.vendor_image(region=OTHER_REGION))
    assert volume_of(other, unencrypted) == (False, None)


def test_accounts_switch_encryption_by_default(api: Api) -> None:
    ec2, key = api.client("ec2"), create_key(api)
    ec2.enable_ebs_encryption_by_default()
    assert settings_of(ec2) == (True, "alias/aws/ebs")
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId=key.rpartition("/")[2])["KmsKeyId"] == key
    assert settings_of(ec2) == (True, key)
    assert volume_of(ec2, api.run_instance()) == (True, key)
    foreign = create_key(api, region=OTHER_REGION)
    assert_error("InvalidKmsKey.NotFound", ec2.modify_ebs_default_kms_key_id, KmsKeyId=foreign)
    api.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    launch = {**LAUNCH, "ImageId": api.vendor_image()}
    assert_error("InvalidKmsKey.InvalidState", ec2.run_instances, **launch)
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    ec2.disable_ebs_encryption_by_default()
    assert volume_of(ec2, api.run_instance()) == (False, None)


def test_launch_selects_the_key(api: Api) -> None:
    ec2, key = api.client("ec2"), create_key(api)
    disk: dict[str, Any] = {"Encrypted": True, "KmsKeyId": key}
    mappings = [{"DeviceName": "/dev/xvda", "Ebs": disk}]
    instance = api.run_instance(BlockDeviceMappings=mappings)
    assert volume_of(ec2, instance) == (True, key)
    image = api.create_image("one", instance=instance)
    child = api.run_instance(ImageId=image)
    assert volume_of(ec2, child) == (True, key), "the key of the AMI's snapshot"
    foreign = {"Encrypted": True, "KmsKeyId": create_key(api, region=OTHER_REGION)}
    launch = {**LAUNCH, "ImageId": image}
    mappings = [{"DeviceName": "/dev/xvda", "Ebs": foreign}]
    assert_error(
        "InvalidKmsKey.NotFound", ec2.run_instances, **launch, BlockDeviceMappings=mappings
    )


def test_images_with_the_managed_key_are_not_shared(api: Api) -> None:
    ec2, key = api.client("ec2"), create_key(api)
    managed, customer = api.add_images(
        {"name": "a", "kms_key": "aws/ebs"}, {"name": "b", "kms_key": key}
    )
    permission = {"LaunchPermission": {"Add": [{"UserId": OTHER_ACCOUNT}]}}
    snapshot = {
        "SnapshotId": api.snapshot_id(managed),
        "Attribute": "createVolumePermission",
        "OperationType": "add",
        "UserIds": [OTHER_ACCOUNT],
    }
    assert error_of(ec2.modify_image_attribute, ImageId=managed, **permission)[:2] == (
        "InvalidParameter",
        "Snapshots encrypted with the AWS Managed CMK can't be shared",
    )
    assert error_of(ec2.modify_snapshot_attribute, **snapshot)[:2] == (
        "OperationNotPermitted",
        "Encrypted snapshots with EBS default key cannot be shared",
    )
    share_image(api, customer)
    share_snapshot(api, customer)
    remove = {"LaunchPermission": {"Remove": [{"UserId": OTHER_ACCOUNT}]}}
    ec2.modify_image_attribute(ImageId=managed, **remove)


def test_copy_selects_the_key_of_the_target(api: Api) -> None:
    source_key, target_key = create_key(api), create_key(api, region=OTHER_REGION)
    encrypted, plain = api.add_images({"name": "a", "kms_key": source_key}, {"name": "b"})
    remote = api.client("ec2", OTHER_REGION)

    def copy(name: str, image: str, **options: Any) -> tuple[bool, str | None]:
        source = {"SourceImageId": image, "SourceRegion": REGION}
        return disk_of(api, remote.copy_image(Name=name, **source, **options)["ImageId"], remote)

    assert copy("one", plain) == (False, None)
    assert copy("two", encrypted) == (True, managed_key(api, OTHER_REGION))
    assert copy("three", encrypted, Encrypted=True, KmsKeyId=target_key) == (True, target_key)
    assert copy("four", plain, Encrypted=True, KmsKeyId=target_key) == (True, target_key)
    api.control("encryption", {"defaults": [{"region": OTHER_REGION, "kms_key": target_key}]})
    assert copy("five", plain) == (True, target_key)
    assert copy("six", encrypted) == (True, target_key)
    code = "InvalidParameterDependency"
    assert_error(
        code,
        remote.copy_image,
        Name="seven",
        SourceImageId=plain,
        SourceRegion=REGION,
        KmsKeyId=target_key,
    )


def copy_to_other_account(api: Api, image: str, **options: Any) -> dict[str, Any]:
    """Shares and copies an AMI; returns the description of the finished or failed copy."""
    share_image(api, image)
    share_snapshot(api, image)
    target = api.account_client(OTHER_ACCOUNT)
    source = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION}
    copy = target.copy_image(**source, **options)["ImageId"]

    def describe() -> Any:
        (description,) = target.describe_images(ImageIds=[copy])["Images"]
        return description if description["State"] != "pending" else None

    return wait_until(describe)


ORGANIZATION = {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
CALLER = {"Condition": {"StringEquals": {"kms:CallerAccount": [OTHER_ACCOUNT]}}}


@pytest.mark.parametrize(
    ("principals", "options", "state"),
    [
        ([], {}, "failed"),
        ([f"arn:aws:iam::{OTHER_ACCOUNT}:root"], {}, "available"),
        ([f"arn:aws:iam::{OTHER_ACCOUNT}:role/promote"], {}, "available"),
        (["*"], ORGANIZATION, "available"),
        (["*"], CALLER, "available"),
        (["*"], {"Condition": {"StringEquals": {"kms:CallerAccount": ["333333333333"]}}}, "failed"),
        ([f"arn:aws:iam::{OTHER_ACCOUNT}:root"], {"Action": "kms:DescribeKey"}, "failed"),
    ],
)
def test_copy_needs_access_to_the_key_of_the_source(
    api: Api, principals: list[str], options: dict[str, Any], state: str
) -> None:
    key = create_key(api, *principals, **options)
    (image,) = api.add_images({"name": "one", "kms_key": key})
    description = copy_to_other_account(api, image)
    assert description["State"] == state
    if state == "failed":
        assert key in description["StateReason"]["Message"]


def test_grant_allows_a_copy(api: Api) -> None:
    key = create_key(api)
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    api.client("kms").create_grant(**grant, Operations=["Decrypt", "CreateGrant"])
    (image,) = api.add_images({"name": "one", "kms_key": key})
    assert copy_to_other_account(api, image)["State"] == "available"


@pytest.mark.parametrize("problem", ["region", "missing", "account", "disabled"])
def test_copy_fails_later_for_a_key_that_cannot_be_used(api: Api, problem: str) -> None:
    (image,) = api.add_images({"name": "one"})
    api.control("pending", {"seconds": 0.5})
    key = create_key(api, region=OTHER_REGION if problem == "region" else REGION)
    if problem == "missing":
        key = key[:-12] + "000000000000"
    if problem == "disabled":
        api.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    if problem == "account":
        description = copy_to_other_account(api, image, Encrypted=True, KmsKeyId=key)
    else:
        source = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION}
        options = {"Encrypted": True, "KmsKeyId": key}
        copy = api.client("ec2").copy_image(**source, **options)["ImageId"]
        assert api.describe_image(copy)["State"] == "pending"
        wait_until(lambda: api.describe_image(copy)["State"] != "pending")
        description = api.describe_image(copy)
    assert description["State"] == "failed"
    assert key in description["StateReason"]["Message"]


def test_launch_of_a_shared_image_needs_access_to_its_key(api: Api) -> None:
    key = create_key(api)
    (image,) = api.add_images({"name": "one", "kms_key": key})
    share_image(api, image)
    other = api.account_client(OTHER_ACCOUNT)
    instance = api.run_instance("terminated", other, ImageId=image)
    reason = api.wait_for_instance(instance, "terminated", other)["StateReason"]
    assert reason["Code"] == "Client.InternalError"
    assert "launch" not in api.backend.operations(instance)
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    api.client("kms").create_grant(**grant, Operations=["CreateGrant"])
    api.run_instance(ec2=other, ImageId=image)


def test_encryption_is_reset_and_validated(api: Api) -> None:
    settings = {"defaults": [{"account": ACCOUNT, "kms_key": "aws/ebs"}]}
    assert api.control("encryption", settings) == settings
    assert api.control("encryption") == settings
    api.client("ec2").disable_ebs_encryption_by_default()
    api.control("reset", {})
    assert api.control("encryption") == {}
    assert settings_of(api.client("ec2")) == (False, "alias/aws/ebs")
    for body, text in (
        ({"default": []}, "the body has an unknown member 'default'"),
        ({"defaults": [{"key": "a"}]}, "an entry of defaults has an unknown member 'key'"),
        ({"defaults": [{"enabled": 1}]}, "enabled must be true or false, and not 1"),
    ):
        status, error = api.try_control("encryption", body)
        assert (status, error.startswith(f"encryption: {text}")) == (400, True), error


@pytest.mark.parametrize(
    "missing",
    [
        *("", "kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:ReEncryptFrom"),
        *("kms:ReEncryptTo", "kms:GenerateDataKeyWithoutPlaintext"),
    ],
)
def test_copy_fails_without_a_permission_for_its_keys(api: Api, missing: str) -> None:
    source_key, target_key = create_key(api), create_key(api, region=OTHER_REGION)
    [image] = api.add_images({"name": "a", "kms_key": source_key})
    uses = ["DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom", "ReEncryptTo"]
    actions = [f"kms:{use}" for use in (*uses, "GenerateDataKeyWithoutPlaintext")]
    regions = [f"ec2.{region}.amazonaws.com" for region in (REGION, OTHER_REGION)]
    condition = {"StringEquals": {"kms:ViaService": regions}}
    keys = allow(*(action for action in actions if action != missing), Condition=condition)
    session = Session(api, Policy=document(allow("ec2:CopyImage"), keys))
    source = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION}
    remote = session.client("ec2", OTHER_REGION)
    copy = remote.copy_image(**source, Encrypted=True, KmsKeyId=target_key)["ImageId"]
    own = api.client("ec2", OTHER_REGION)

    def find_ended() -> Any:
        described = own.describe_images(ImageIds=[copy])["Images"][0]
        return described if described["State"] != "pending" else None

    described = wait_until(find_ended)
    assert described["State"] == ("failed" if missing else "available"), missing
    if missing:
        assert described["StateReason"]["Message"] == "Given key ID is not accessible"
