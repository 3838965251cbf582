"""Tests instances: states, addresses, keys and the parameters that the backend receives."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import (
    ACCOUNT,
    OTHER_ACCOUNT,
    REGION,
    Api,
    assert_error,
    tag_specification,
    wait_until,
)

from bakeline_sandbox.instance_backend import ExitReason

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpHCqWcbqB5pjS2HZ8vDyO1UQ8cPPyvF3sRwvZlTjzN me"


def root_volume(instance: dict[str, Any]) -> str:
    return instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def test_instance_is_pending_until_launched(api: Api) -> None:
    ec2 = api.client("ec2")
    api.backend.gates["launch"] = threading.Event()
    instance = api.run_instance(state="pending")
    description = api.wait_for_instance(instance, "pending")
    assert description["PrivateIpAddress"].startswith("10.90.")
    assert "PublicIpAddress" not in description
    statuses = ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
    assert statuses == []
    assert_error("IncorrectInstanceState", ec2.stop_instances, InstanceIds=[instance])
    api.backend.gates["launch"].set()
    api.wait_for_instance(instance, "running")
    config = {"Delay": 1, "MaxAttempts": 300}
    waiter = ec2.get_waiter("instance_status_ok")
    waiter.wait(InstanceIds=[instance], WaiterConfig=config)


def test_failed_launch_terminates_with_reason(api: Api) -> None:
    api.backend.failing.add("launch")
    instance = api.run_instance(state="terminated")
    description = api.wait_for_instance(instance, "terminated")
    assert description["StateReason"]["Code"] == "Server.InternalError"
    output = api.client("ec2").get_console_output(InstanceId=instance)["Output"]
    assert "injected failure of launch" in output


def test_instance_states_follow_the_backend(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    ids = {"InstanceIds": [instance]}
    gate = api.backend.gates["stop"] = threading.Event()
    change = ec2.stop_instances(**ids)["StoppingInstances"][0]
    assert change["PreviousState"]["Name"] == "running"
    api.wait_for_instance(instance, "stopping")
    gate.set()
    api.wait_for_instance(instance, "stopped")
    assert_error("IncorrectInstanceState", ec2.reboot_instances, **ids)
    ec2.start_instances(**ids)
    volume = root_volume(api.wait_for_instance(instance, "running"))
    ec2.reboot_instances(**ids)
    snapshot = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["SnapshotId"]
    assert snapshot.startswith("snap-")
    gate = api.backend.gates["terminate"] = threading.Event()
    ec2.terminate_instances(**ids)
    api.wait_for_instance(instance, "shutting-down")
    ec2.terminate_instances(**ids)
    gate.set()
    api.wait_for_instance(instance, "terminated")
    operations = api.backend.operations(instance)
    assert operations == ["launch", "stop", "start", "reboot", "terminate"]
    assert_error("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[volume])


def test_exit_without_request_changes_state(api: Api) -> None:
    stopping = api.run_instance()
    terminating = api.run_instance(InstanceInitiatedShutdownBehavior="terminate")
    for instance in (stopping, terminating):
        api.backend.on_exit(instance, ExitReason.POWERED_OFF)
    reason = api.wait_for_instance(stopping, "stopped")["StateReason"]
    assert reason["Code"] == "Client.InstanceInitiatedShutdown"
    api.wait_for_instance(terminating, "terminated")
    crashed = api.run_instance()
    api.backend.on_exit(crashed, ExitReason.CRASHED)
    reason = api.wait_for_instance(crashed, "stopped")["StateReason"]
    assert reason["Code"] == "Server.InternalError"


def test_backend_receives_all_parameters(api: Api) -> None:
    specifications = [tag_specification("key-pair", a="b")]
    key = api.client("ec2").create_key_pair(
        KeyName="k", KeyType="ed25519", TagSpecifications=specifications
    )
    assert "OPENSSH PRIVATE KEY" in key["KeyMaterial"]
    user_data = "#!/bin/sh\necho hi\n"
    instance = api.run_instance(
        KeyName="k", UserData=user_data, MetadataOptions={"HttpTokens": "required"}
    )
    spec = api.backend.specs[instance]
    assert spec.public_key is not None and spec.public_key.startswith("ssh-ed25519 ")
    assert spec.user_data == user_data.encode()
    assert spec.http_tokens_required
    assert spec.layers == ("debian-12",)
    assert (spec.region, spec.zone, spec.account) == (REGION, f"{REGION}a", ACCOUNT)
    assert spec.public_ip is None


def test_addresses_are_unique_across_regions_and_accounts(api: Api) -> None:
    response = api.client("ec2", "us-east-1").run_instances(
        ImageId=api.vendor_image(region="us-east-1"),
        InstanceType="t3.micro",
        MinCount=2,
        MaxCount=3,
    )
    assert len(response["Instances"]) == 3
    ids = {api.run_instance(), api.run_instance(ec2=api.account_client(OTHER_ACCOUNT))}
    wait_until(lambda: len(api.backend.specs) == 5)
    assert len({spec.private_ip for spec in api.backend.specs.values()}) == 5
    assert ids < set(api.backend.specs)


def test_public_address_needs_request(api: Api) -> None:
    ec2 = api.client("ec2")
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True}
    instance = api.run_instance(NetworkInterfaces=[interface])
    address = api.wait_for_instance(instance, "running")["PublicIpAddress"]
    assert address.startswith("203.0.113.")
    assert api.backend.specs[instance].public_ip == address
    ec2.stop_instances(InstanceIds=[instance])
    assert "PublicIpAddress" not in api.wait_for_instance(instance, "stopped")
    ec2.start_instances(InstanceIds=[instance])
    assert api.wait_for_instance(instance, "running")["PublicIpAddress"] == address


@pytest.mark.parametrize(
    ("options", "code"),
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
            {"TagSpecifications": [tag_specification("instance", **{"aws:x": "1"})]},
            "InvalidParameterValue",
        ),
    ],
)
def test_rejected_launch_leaves_nothing(api: Api, options: dict[str, Any], code: str) -> None:
    ec2 = api.client("ec2")
    valid = {
        "ImageId": api.vendor_image(),
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
    }
    assert_error(code, ec2.run_instances, **(valid | options))
    assert ec2.describe_instances()["Reservations"] == []
    assert not api.backend.specs


def test_client_token_makes_launch_idempotent(api: Api) -> None:
    first = api.run_instance(ClientToken="once")
    assert api.run_instance(ClientToken="once") == first
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        api.run_instance(ClientToken="once", InstanceType="t3.small")


def test_tags_of_launch_are_filterable(api: Api) -> None:
    ec2 = api.client("ec2")
    instance = api.run_instance(
        TagSpecifications=[
            tag_specification("instance", run="7"),
            tag_specification("volume", run="7"),
        ],
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 12}}],
    )
    api.run_instance()
    by_tag = {"Name": "tag:run", "Values": ["7"]}
    by_state = {"Name": "instance-state-name", "Values": ["running"]}
    reservations = ec2.describe_instances(Filters=[by_tag, by_state])["Reservations"]
    instances = [entry for reservation in reservations for entry in reservation["Instances"]]
    assert [entry["InstanceId"] for entry in instances] == [instance]
    assert instances[0]["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]
    volume = ec2.describe_volumes(Filters=[by_tag])["Volumes"][0]
    assert volume["Size"] == 12
    assert volume["Attachments"][0]["InstanceId"] == instance


def test_console_output_comes_from_backend(api: Api) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    output = ec2.get_console_output(InstanceId=instance)["Output"]
    assert output == f"console of {instance}\n"
    missing = {"InstanceId": "i-00000000000000000"}
    assert_error("InvalidInstanceID.NotFound", ec2.get_console_output, **missing)


def test_imported_key_reaches_backend(api: Api) -> None:
    ec2 = api.client("ec2")
    key = {"KeyName": "mine", "PublicKeyMaterial": PUBLIC_KEY.encode()}
    ec2.import_key_pair(**key)
    assert_error("InvalidKeyPair.Duplicate", ec2.import_key_pair, **key)
    instance = api.run_instance(KeyName="mine")
    assert api.backend.specs[instance].public_key == PUBLIC_KEY


def test_launch_template_sets_parameters(api: Api) -> None:
    ec2, script = api.client("ec2"), b"#!/bin/sh\n"
    data = {
        "ImageId": api.vendor_image(),
        "InstanceType": "t3.small",
        "UserData": base64.b64encode(script).decode(),
    }
    ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "t"}
    response = ec2.run_instances(LaunchTemplate=template, MinCount=1, MaxCount=1)
    instance = response["Instances"][0]
    assert instance["InstanceType"] == "t3.small"
    wait_until(lambda: instance["InstanceId"] in api.backend.specs)
    assert api.backend.specs[instance["InstanceId"]].user_data == script


def test_ssm_parameter_selects_image(api: Api) -> None:
    image = api.vendor_image("debian-13-*")
    parameter = {"Name": "/ami", "Type": "String", "DataType": "aws:ec2:image"}
    api.client("ssm").put_parameter(**parameter, Value=image)
    instance = api.run_instance(ImageId="resolve:ssm:/ami")
    assert api.backend.specs[instance].layers == ("debian-13",)


def test_network_calls_of_packer(api: Api) -> None:
    ec2 = api.client("ec2")
    filters = [{"Name": "is-default", "Values": ["true"]}]
    vpc = ec2.describe_vpcs(Filters=filters)["Vpcs"][0]
    assert vpc["CidrBlock"] == api.backend.vpc_cidr
    filters = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    assert ec2.describe_subnets(Filters=filters)["Subnets"]
    regions = ec2.describe_regions()["Regions"]
    assert REGION in {region["RegionName"] for region in regions}
    filters = [{"Name": "instance-type", "Values": ["t3.micro"]}]
    assert ec2.describe_instance_type_offerings(Filters=filters)["InstanceTypeOfferings"]


def test_instance_profile_must_exist(api: Api) -> None:
    ec2, iam = api.client("ec2"), api.client("iam")
    profile = {"Name": "build"}
    with pytest.raises(ClientError, match="profile"):
        api.run_instance(IamInstanceProfile=profile)
    assert ec2.describe_instances()["Reservations"] == []
    iam.create_instance_profile(InstanceProfileName="build")
    instance = api.run_instance(IamInstanceProfile=profile)
    description = api.wait_for_instance(instance, "running")
    assert description["IamInstanceProfile"]["Arn"].endswith("/build")


def test_volumes_have_the_performance_of_the_request(api: Api) -> None:
    disk = {"VolumeSize": 10, "VolumeType": "gp3", "Iops": 3500, "Throughput": 200}
    instance = api.run_instance(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": disk}])
    attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
    found = api.client("ec2").describe_volumes(Filters=attached)["Volumes"]
    [volume] = [one for one in found if one["Attachments"][0]["Device"] == "/dev/sdf"]
    assert (volume["Size"], volume["Iops"], volume["Throughput"]) == (10, 3500, 200)
