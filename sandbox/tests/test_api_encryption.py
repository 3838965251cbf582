"""Tests the keys of EBS encryption, from the settings of the account to volumes and snapshots."""

from __future__ import annotations

from conftest import REGION, Api

RUN = {"MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}


def test_default_key_is_managed_by_aws_until_another_is_chosen(api: Api) -> None:
    ec2, kms = api.client("ec2"), api.client("kms")
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    ec2.enable_ebs_encryption_by_default()
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    (image,) = api.add_images({"name": "one"})
    source = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION, "Encrypted": True}
    copied = ec2.copy_image(**source)["ImageId"]
    [snapshot] = ec2.describe_snapshots(SnapshotIds=[api.snapshot_id(copied)])["Snapshots"]
    managed = kms.describe_key(KeyId=snapshot["KmsKeyId"])["KeyMetadata"]
    assert managed["KeyManager"] == "AWS"
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    own = kms.create_key()["KeyMetadata"]
    assert own["KeyManager"] == "CUSTOMER"
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=own["KeyId"])
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == own["Arn"]


def test_key_of_a_launch_encrypts_volume_and_image(api: Api) -> None:
    ec2, kms = api.client("ec2"), api.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/images", TargetKeyId=key["KeyId"])
    (image,) = api.add_images({"name": "one"})
    disk = {"Encrypted": True, "KmsKeyId": "alias/images", "DeleteOnTermination": True}
    mapping = {"DeviceName": api.describe_image(image)["RootDeviceName"], "Ebs": disk}
    launched = ec2.run_instances(ImageId=image, BlockDeviceMappings=[mapping], **RUN)
    instance = launched["Instances"][0]["InstanceId"]
    made = ec2.create_image(InstanceId=instance, Name="two")["ImageId"]
    [snapshot] = ec2.describe_snapshots(SnapshotIds=[api.snapshot_id(made)])["Snapshots"]
    assert snapshot["Encrypted"] and snapshot["KmsKeyId"] in ("alias/images", key["Arn"])
