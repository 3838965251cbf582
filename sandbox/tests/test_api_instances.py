"""Tests instances: states, addresses, security groups, keys and the backend's parameters."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Api, error_code, wait_until

from bakeline_sandbox.instance_backend import ExitReason, FirewallRule


def test_instance_is_pending_until_launched(api: Api) -> None:
    api.backend.gates["launch"] = threading.Event()
    instance = api.run_instance(state="pending")
    found = api.wait_for_instance(instance, "pending")
    assert found["PrivateIpAddress"].startswith("10.90.")
    assert "PublicIpAddress" not in found
    status = api.client("ec2").describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
    assert status == []
    assert (
        error_code(api.client("ec2").stop_instances, InstanceIds=[instance])
        == "IncorrectInstanceState"
    )
    api.backend.gates["launch"].set()
    api.wait_for_instance(instance, "running")
    api.client("ec2").get_waiter("instance_status_ok").wait(
        InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )


def test_failed_launch_terminates_with_reason(api: Api) -> None:
    api.backend.failing.add("launch")
    found = api.wait_for_instance(api.run_instance(state="terminated"), "terminated")
    assert found["StateReason"]["Code"] == "Server.InternalError"
    output = api.client("ec2").get_console_output(InstanceId=found["InstanceId"])["Output"]
    assert "injected failure of launch" in output


def test_instance_states_follow_the_backend(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    gate = api.backend.gates["stop"] = threading.Event()
    answer = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert answer["PreviousState"]["Name"] == "running"
    api.wait_for_instance(instance, "stopping")
    gate.set()
    api.wait_for_instance(instance, "stopped")
    assert error_code(ec2.reboot_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    ec2.start_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "running")
    ec2.reboot_instances(InstanceIds=[instance])
    volume = api.wait_for_instance(instance, "running")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["SnapshotId"].startswith("snap-")
    gate = api.backend.gates["terminate"] = threading.Event()
    ec2.terminate_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "shutting-down")
    ec2.terminate_instances(InstanceIds=[instance])
    gate.set()
    api.wait_for_instance(instance, "terminated")
    assert api.backend.operations(instance) == ["launch", "stop", "start", "reboot", "terminate"]
    assert error_code(ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound"


def test_exit_without_request_changes_state(api: Api) -> None:
    stays, goes = (
        api.run_instance(),
        api.run_instance(InstanceInitiatedShutdownBehavior="terminate"),
    )
    for instance in (stays, goes):
        api.backend.on_exit(instance, ExitReason.POWERED_OFF)
    assert (
        api.wait_for_instance(stays, "stopped")["StateReason"]["Code"]
        == "Client.InstanceInitiatedShutdown"
    )
    api.wait_for_instance(goes, "terminated")
    crashed = api.run_instance()
    api.backend.on_exit(crashed, ExitReason.CRASHED)
    assert (
        api.wait_for_instance(crashed, "stopped")["StateReason"]["Code"] == "Server.InternalError"
    )


def test_backend_receives_all_parameters(api: Api) -> None:
    ec2 = api.client("ec2")
    key = ec2.create_key_pair(
        KeyName="k",
        KeyType="ed25519",
        TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    assert "OPENSSH PRIVATE KEY" in key["KeyMaterial"]
    instance = api.run_instance(
        KeyName="k", UserData="#!/bin/sh\necho hi\n", MetadataOptions={"HttpTokens": "required"}
    )
    spec = api.backend.specs[instance]
    assert spec.public_key is not None and spec.public_key.startswith("ssh-ed25519 ")
    assert spec.user_data == b"#!/bin/sh\necho hi\n"
    assert spec.http_tokens_required
    assert spec.layers == ("debian-12",)
    assert (spec.region, spec.zone, spec.account, spec.public_ip) == (
        REGION,
        f"{REGION}a",
        "123456789012",
        None,
    )


def test_addresses_are_unique_across_regions_and_accounts(api: Api) -> None:
    other = api.client("ec2", "us-east-1")
    run = other.run_instances(
        ImageId=api.vendor_image(region="us-east-1"),
        InstanceType="t3.micro",
        MinCount=2,
        MaxCount=3,
    )
    ids = [api.run_instance(), api.run_instance(ec2=api.account_client("210987654321"))]
    wait_until(lambda: len(api.backend.specs) == 5)
    assert len(run["Instances"]) == 3
    assert len({spec.private_ip for spec in api.backend.specs.values()}) == 5
    assert set(ids) < set(api.backend.specs)


def test_public_address_needs_request(api: Api) -> None:
    nic = {"DeviceIndex": 0, "AssociatePublicIpAddress": True}
    found = api.wait_for_instance(api.run_instance(NetworkInterfaces=[nic]), "running")
    assert found["PublicIpAddress"].startswith("203.0.113.")
    assert api.backend.specs[found["InstanceId"]].public_ip == found["PublicIpAddress"]
    ec2 = api.client("ec2")
    ec2.stop_instances(InstanceIds=[found["InstanceId"]])
    assert "PublicIpAddress" not in api.wait_for_instance(found["InstanceId"], "stopped")
    ec2.start_instances(InstanceIds=[found["InstanceId"]])
    assert (
        api.wait_for_instance(found["InstanceId"], "running")["PublicIpAddress"]
        == found["PublicIpAddress"]
    )


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "nonsense"}, "InvalidAMIID.Malformed"),
        ({"KeyName": "missing"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroups": ["missing"]}, "InvalidGroup.NotFound"),
        ({"InstanceType": "t99.huge"}, "InvalidInstanceType.NotFound"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"Placement": {"AvailabilityZone": "us-east-1a"}}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "192.0.2.1"}, "InvalidParameterValue"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
        ({"DryRun": True, "KeyName": "missing"}, "InvalidKeyPair.NotFound"),
        (
            {
                "TagSpecifications": [
                    {"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "1"}]}
                ]
            },
            "InvalidParameterValue",
        ),
    ],
)
def test_rejected_launch_leaves_nothing(api: Api, wrong: dict[str, Any], expected: str) -> None:
    ec2 = api.client("ec2")
    assert (
        error_code(
            ec2.run_instances,
            **{
                "ImageId": api.vendor_image(),
                "InstanceType": "t3.micro",
                "MinCount": 1,
                "MaxCount": 1,
                **wrong,
            },
        )
        == expected
    )
    assert ec2.describe_instances()["Reservations"] == []
    assert not api.backend.specs


def test_client_token_makes_launch_idempotent(api: Api) -> None:
    first = api.run_instance(ClientToken="once")
    assert api.run_instance(ClientToken="once") == first
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        api.run_instance(ClientToken="once", InstanceType="t3.small")


def test_tags_of_launch_are_filterable(api: Api) -> None:
    specs = [
        {"ResourceType": kind, "Tags": [{"Key": "run", "Value": "7"}]}
        for kind in ("instance", "volume")
    ]
    instance, _ = (
        api.run_instance(
            TagSpecifications=specs,
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 12}}],
        ),
        api.run_instance(),
    )
    ec2 = api.client("ec2")
    listed = ec2.describe_instances(
        Filters=[
            {"Name": "tag:run", "Values": ["7"]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
    )
    assert [i["InstanceId"] for r in listed["Reservations"] for i in r["Instances"]] == [instance]
    volume = ec2.describe_volumes(Filters=[{"Name": "tag:run", "Values": ["7"]}])["Volumes"][0]
    assert volume["Size"] == 12
    assert volume["Attachments"][0]["InstanceId"] == instance
    assert api.wait_for_instance(instance, "running")["BlockDeviceMappings"][0]["Ebs"][
        "DeleteOnTermination"
    ]


def test_firewall_rules_follow_security_groups(api: Api) -> None:
    ec2 = api.client("ec2")
    group = ec2.create_security_group(
        GroupName="g",
        Description="d",
        TagSpecifications=[
            {"ResourceType": "security-group", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )["GroupId"]
    instance = api.run_instance(SecurityGroupIds=[group])
    every = FirewallRule(True, "-1", None, None, "0.0.0.0/0")
    assert api.backend.rules[instance] == (every,)
    allow = [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=allow)
    ssh = FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0")
    wait_until(lambda: set(api.backend.rules[instance]) == {every, ssh})
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=allow)
    wait_until(lambda: set(api.backend.rules[instance]) == {every})
    other = ec2.create_security_group(GroupName="h", Description="d")["GroupId"]
    pair = [
        {
            "IpProtocol": "icmp",
            "FromPort": -1,
            "ToPort": -1,
            "UserIdGroupPairs": [{"GroupId": group}],
        }
    ]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=pair)
    peer = api.run_instance(SecurityGroupIds=[other])
    address = api.backend.specs[instance].private_ip
    assert FirewallRule(False, "icmp", None, None, f"{address}/32") in api.backend.rules[peer]
    ec2.modify_instance_attribute(InstanceId=instance, Groups=[other])
    wait_until(
        lambda: (
            FirewallRule(False, "icmp", None, None, f"{address}/32") not in api.backend.rules[peer]
        )
    )
    assert api.wait_for_instance(instance, "running")["SecurityGroups"][0]["GroupId"] == other


def test_security_group_in_use_is_not_deleted(api: Api) -> None:
    ec2 = api.client("ec2")
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    instance = api.run_instance(SecurityGroupIds=[group])
    assert error_code(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "terminated")
    ec2.delete_security_group(GroupId=group)


def test_console_output_comes_from_backend(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    assert ec2.get_console_output(InstanceId=instance)["Output"] == f"console of {instance}\n"
    assert (
        error_code(ec2.get_console_output, InstanceId="i-00000000000000000")
        == "InvalidInstanceID.NotFound"
    )


def test_imported_key_reaches_backend(api: Api) -> None:
    ec2 = api.client("ec2")
    line = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpHCqWcbqB5pjS2HZ8vDyO1UQ8cPPyvF3sRwvZlTjzN me"
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=line)
    assert (
        error_code(ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=line)
        == "InvalidKeyPair.Duplicate"
    )
    assert api.backend.specs[api.run_instance(KeyName="mine")].public_key == line.decode()


def test_launch_template_and_ssm_parameter_select_image(api: Api) -> None:
    ec2, ssm = api.client("ec2"), api.client("ssm")
    data = base64.b64encode(b"#!/bin/sh\n").decode()
    ec2.create_launch_template(
        LaunchTemplateName="t",
        LaunchTemplateData={
            "ImageId": api.vendor_image(),
            "InstanceType": "t3.small",
            "UserData": data,
        },
    )
    run = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "t"}, MinCount=1, MaxCount=1)[
        "Instances"
    ][0]
    assert run["InstanceType"] == "t3.small"
    wait_until(lambda: run["InstanceId"] in api.backend.specs)
    assert api.backend.specs[run["InstanceId"]].user_data == b"#!/bin/sh\n"
    ssm.put_parameter(
        Name="/ami", Value=api.vendor_image("debian-13-*"), Type="String", DataType="aws:ec2:image"
    )
    assert api.backend.specs[api.run_instance(ImageId="resolve:ssm:/ami")].layers == ("debian-13",)


def test_network_calls_of_packer(api: Api) -> None:
    ec2 = api.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    assert vpc["CidrBlock"] == api.backend.vpc_cidr
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert REGION in {region["RegionName"] for region in ec2.describe_regions()["Regions"]}
    offered = ec2.describe_instance_type_offerings(
        Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}]
    )
    assert offered["InstanceTypeOfferings"]


def test_instance_profile_must_exist(api: Api) -> None:
    ec2, iam = api.client("ec2"), api.client("iam")
    with pytest.raises(ClientError, match="profile"):
        api.run_instance(IamInstanceProfile={"Name": "build"})
    assert ec2.describe_instances()["Reservations"] == []
    iam.create_instance_profile(InstanceProfileName="build")
    found = api.wait_for_instance(api.run_instance(IamInstanceProfile={"Name": "build"}), "running")
    assert found["IamInstanceProfile"]["Arn"].endswith("/build")
