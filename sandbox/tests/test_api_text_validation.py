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
RULE_REASON = "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set"


def rejection_message(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidParameterValue", error
    return str(error["Message"])


def test_description_must_be_ascii(api: Api) -> None:
    ec2, image = api.client("ec2"), api.create_image("one", Description="ascii ~")
    instance = api.run_instance()
    volume = api.wait_for_instance(instance, "running")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    snapshot = api.describe_image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    calls: list[tuple[Any, dict[str, Any]]] = [
        (ec2.create_image, {"InstanceId": instance, "Name": "two"}),
        (ec2.copy_image, {"SourceImageId": image, "SourceRegion": REGION, "Name": "two"}),
        (
            ec2.register_image,
            {"Name": "two", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": disk},
        ),
        (ec2.create_snapshot, {"VolumeId": volume}),
        (ec2.create_snapshots, {"InstanceSpecification": {"InstanceId": instance}}),
        (ec2.copy_snapshot, {"SourceSnapshotId": snapshot, "SourceRegion": REGION}),
    ]
    for call, arguments in calls:
        message = rejection_message(call, Description=NON_ASCII, **arguments)
        assert (
            message == f"Value ({NON_ASCII}) for parameter Description is invalid. {ASCII_REASON}"
        )
    for how in (
        {"Description": {"Value": NON_ASCII}},
        {"Attribute": "description", "Value": NON_ASCII},
    ):
        assert ASCII_REASON in rejection_message(ec2.modify_image_attribute, ImageId=image, **how)
    assert api.describe_image(image)["Description"] == "ascii ~"
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_security_group_text_has_limited_characters(api: Api) -> None:
    ec2 = api.client("ec2")
    message = rejection_message(ec2.create_security_group, GroupName="g", Description=NON_ASCII)
    assert (
        message == f"Value ({NON_ASCII}) for parameter GroupDescription is invalid. {ASCII_REASON}"
    )
    assert "GroupName" in rejection_message(
        ec2.create_security_group, GroupName="grün", Description="d"
    )
    for text in ("it's", "a -> b", "x" * 256):
        assert "Invalid security group description." in rejection_message(
            ec2.create_security_group, GroupName="g", Description=text
        )
    assert "KeyName" in rejection_message(ec2.create_key_pair, KeyName="grün", KeyType="ed25519")
    assert not [
        g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"
    ]
    assert not ec2.describe_key_pairs()["KeyPairs"]


def test_rule_description_has_limited_characters(api: Api) -> None:
    ec2 = api.client("ec2")
    group = ec2.create_security_group(GroupName="g", Description="a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")[
        "GroupId"
    ]
    for peers in (
        {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {"UserIdGroupPairs": [{"GroupId": group}]},
    ):
        port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
        [(kind, [peer])] = peers.items()
        for call in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
            for text in (NON_ASCII, "it's"):
                wrong = [{**port, kind: [{**peer, "Description": text}]}]
                assert RULE_REASON in rejection_message(call, GroupId=group, IpPermissions=wrong)
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"] == [] and len(found["IpPermissionsEgress"]) == 1
    right = [{**port, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "ssh (office)"}]}]
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=right)[
        "SecurityGroupRules"
    ][0]
    change = {"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": NON_ASCII}
    right[0]["IpRanges"][0]["Description"] = NON_ASCII
    update = ec2.update_security_group_rule_descriptions_ingress
    assert RULE_REASON in rejection_message(update, GroupId=group, IpPermissions=right)
    assert RULE_REASON in rejection_message(
        update, GroupId=group, SecurityGroupRuleDescriptions=[change]
    )


def test_tags_can_have_any_character(api: Api) -> None:
    tags = [{"Key": "Größe", "Value": NON_ASCII}]
    image = api.create_image("one", TagSpecifications=[{"ResourceType": "image", "Tags": tags}])
    assert api.describe_image(image)["Tags"] == tags


def test_control_images_requires_ascii_description(api: Api) -> None:
    images = [{"name": "one", "description": "ascii ~"}, {"name": "two", "description": NON_ASCII}]
    with pytest.raises(HTTPError) as caught:
        api.control("images", images)
    assert caught.value.code == 400
    error = json.loads(caught.value.read())["error"]
    assert (
        error
        == f"images: InvalidParameterValue: Value ({NON_ASCII}) for parameter Description is invalid. {ASCII_REASON}"
    )
    assert api.client("ec2").describe_images(Owners=["self"])["Images"] == []
