"""Tests that names and descriptions must be ASCII, and that tags can have any character."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Api

NON_ASCII = "gehärtet \N{EN DASH} 😀"
ASCII_REASON = "Character sets beyond ASCII are not supported."
RULE_REASON = (
    "Invalid rule description. Valid descriptions are strings less than 256 characters "
    "from the following set"
)
PORT = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
RANGE = {"CidrIp": "10.0.0.0/8"}


def ascii_message(parameter: str) -> str:
    return f"Value ({NON_ASCII}) for parameter {parameter} is invalid. {ASCII_REASON}"


def rejection_message(call: Any, **arguments: Any) -> str:
    """Returns the message of the InvalidParameterValue error that a call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidParameterValue", error
    return str(error["Message"])


def test_description_must_be_ascii(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one", Description="ascii ~")
    instance, snapshot = api.run_instance(), api.snapshot_id(image)
    description = api.wait_for_instance(instance, "running")
    volume = description["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    root = {
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
    }
    calls: list[tuple[Any, dict[str, Any]]] = [
        (ec2.create_image, {"InstanceId": instance, "Name": "two"}),
        (ec2.copy_image, {"SourceImageId": image, "SourceRegion": REGION, "Name": "two"}),
        (ec2.register_image, {"Name": "two", **root}),
        (ec2.create_snapshot, {"VolumeId": volume}),
        (ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": instance}}),
        (ec2.copy_snapshot, {"SourceSnapshotId": snapshot, "SourceRegion": REGION}),
    ]
    for call, arguments in calls:
        message = rejection_message(call, Description=NON_ASCII, **arguments)
        assert message == ascii_message("Description")
    for change in (
        {"Description": {"Value": NON_ASCII}},
        {"Attribute": "description", "Value": NON_ASCII},
    ):
        message = rejection_message(ec2.modify_image_attribute, ImageId=image, **change)
        assert ASCII_REASON in message
    assert api.describe_image(image)["Description"] == "ascii ~"
    assert api.image_ids(Owners=["self"]) == [image]
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_security_group_text_has_limited_characters(api: Api) -> None:
    ec2 = api.client("ec2")
    create = ec2.create_security_group
    message = rejection_message(create, GroupName="g", Description=NON_ASCII)
    assert message == ascii_message("GroupDescription")
    assert "GroupName" in rejection_message(create, GroupName="grün", Description="d")
    for text in ("it's", "a -> b", "x" * 256):
        message = rejection_message(create, GroupName="g", Description=text)
        assert "Invalid security group description." in message
    message = rejection_message(ec2.create_key_pair, KeyName="grün", KeyType="ed25519")
    assert "KeyName" in message
    groups = ec2.describe_security_groups()["SecurityGroups"]
    assert {group["GroupName"] for group in groups} <= {"default"}
    assert not ec2.describe_key_pairs()["KeyPairs"]


def create_group(ec2: Any) -> str:
    all_characters = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
    return ec2.create_security_group(GroupName="g", Description=all_characters)["GroupId"]


def test_rule_description_has_limited_characters(api: Api) -> None:
    ec2 = api.client("ec2")
    group = create_group(ec2)
    for kind, peer in (
        ("IpRanges", RANGE),
        ("Ipv6Ranges", {"CidrIpv6": "::/0"}),
        ("UserIdGroupPairs", {"GroupId": group}),
    ):
        for call in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
            for text in (NON_ASCII, "it's"):
                permission = {**PORT, kind: [{**peer, "Description": text}]}
                message = rejection_message(call, GroupId=group, IpPermissions=[permission])
                assert RULE_REASON in message
    [description] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert description["IpPermissions"] == []
    assert len(description["IpPermissionsEgress"]) == 1


def test_rule_description_is_validated_on_update(api: Api) -> None:
    ec2 = api.client("ec2")
    group = create_group(ec2)
    permission = {**PORT, "IpRanges": [{**RANGE, "Description": "ssh (office)"}]}
    response = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    rule = response["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    update = ec2.update_security_group_rule_descriptions_ingress
    permission = {**PORT, "IpRanges": [{**RANGE, "Description": NON_ASCII}]}
    assert RULE_REASON in rejection_message(update, GroupId=group, IpPermissions=[permission])
    changes = [{"SecurityGroupRuleId": rule, "Description": NON_ASCII}]
    message = rejection_message(update, GroupId=group, SecurityGroupRuleDescriptions=changes)
    assert RULE_REASON in message


def test_tags_can_have_any_character(api: Api) -> None:
    tags = [{"Key": "Größe", "Value": NON_ASCII}]
    specification = {"ResourceType": "image", "Tags": tags}
    image = api.create_image("one", TagSpecifications=[specification])
    assert api.describe_image(image)["Tags"] == tags


def test_control_images_requires_ascii_description(api: Api) -> None:
    with pytest.raises(HTTPError) as caught:
        api.add_images(
            {"name": "one", "description": "ascii ~"}, {"name": "two", "description": NON_ASCII}
        )
    assert caught.value.code == 400
    error = json.loads(caught.value.read())["error"]
    assert error == f"images: InvalidParameterValue: {ascii_message('Description')}"
    assert api.image_ids(Owners=["self"]) == []
