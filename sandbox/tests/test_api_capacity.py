"""Tests the condition `capacity`: refused launches, default networks and pending AMIs."""

from __future__ import annotations

import os
from typing import Any

from botocore.exceptions import ClientError
from conftest import OTHER_ACCOUNT, REGION, Api, assert_error
from test_api_policies import error_of
from test_api_security_groups import create_group
from test_api_visibility import LAUNCH

EC2_ARCHITECTURE = "arm64" if os.uname().machine == "aarch64" else "x86_64"  # of vendor AMIs
NAMES = {"x86_64": "t3.micro", "arm64": "t4g.micro"}
OTHER_TYPE = next(NAMES[name] for name in NAMES if name != EC2_ARCHITECTURE)
FIRST, SECOND = f"{REGION}a", f"{REGION}b"
INSUFFICIENT = "InsufficientInstanceCapacity"


def zones_of(api: Api, count: int = 1) -> list[str]:
    return [
        api.wait_for_instance(api.run_instance(), "running")["Placement"]["AvailabilityZone"]
        for _ in range(count)
    ]


def subnet_in(api: Api, zone: str) -> str:
    filters = [{"Name": "availability-zone", "Values": [zone]}]
    subnets = api.client("ec2").describe_subnets(Filters=filters)["Subnets"]
    return str(subnets[0]["SubnetId"])


def test_zone_without_capacity_refuses_launches(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    assert zones_of(api) == [FIRST]
    api.control("capacity", {"refuse": [{"zone": FIRST, "instance_type": "t3.*"}]})
    in_zone = {"Placement": {"AvailabilityZone": FIRST}}
    code, message, status = error_of(ec2.run_instances, **launch, **in_zone)
    assert (code, status) == (INSUFFICIENT, 500)
    assert f"sufficient t3.micro capacity in the Availability Zone you requested ({FIRST})" in (
        message
    )
    subnet = {"SubnetId": subnet_in(api, FIRST)}
    assert_error(INSUFFICIENT, ec2.run_instances, **launch, **subnet)
    named = api.read_log("api.jsonl")[-1]["resources"]
    assert (named["InstanceType"], named["SubnetId"]) == ("t3.micro", subnet["SubnetId"])
    assert_error("DryRunOperation", ec2.run_instances, **launch, **subnet, DryRun=True)
    api.run_instance(SubnetId=subnet_in(api, SECOND))
    api.run_instance(InstanceType="m5.large", **subnet)
    assert zones_of(api) == [SECOND], "without a zone, EC2 selects one with capacity"


def test_refusal_selects_subnet_and_ends_after_some_times(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    subnet = subnet_in(api, FIRST)
    entry = {"subnet": subnet, "code": "Unsupported", "times": 2}
    api.control("capacity", {"refuse": [entry]})
    code, message, status = error_of(ec2.run_instances, **launch, SubnetId=subnet, DryRun=True)
    assert (code, status) == ("Unsupported", 400)
    assert "instance type (t3.micro) is not supported in your requested Availability Zone " in (
        message
    )
    assert_error("Unsupported", ec2.run_instances, **launch, SubnetId=subnet)
    api.run_instance(SubnetId=subnet)
    api.control("capacity", {"refuse": [{"account": OTHER_ACCOUNT}, {"region": "us-east-1"}]})
    api.run_instance()
    api.control("capacity", {"refuse": [{"dry_run": True}]})
    assert_error(INSUFFICIENT, ec2.run_instances, **launch, DryRun=True)


def test_vcpu_limit_counts_running_instances(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    api.control("capacity", {"vcpu_limit": 4})
    first = api.run_instance()
    assert_error("VcpuLimitExceeded", ec2.run_instances, **launch | {"MinCount": 2, "MaxCount": 2})
    api.run_instance()
    message = error_of(ec2.run_instances, **launch)[1]
    assert "than your current vCPU limit of 4 allows" in message
    api.client("ec2", "us-east-1").describe_instances()
    ec2.terminate_instances(InstanceIds=[first])
    api.wait_for_instance(first, "terminated")
    api.run_instance()


def test_instance_type_must_match_the_architecture(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    launch["InstanceType"] = OTHER_TYPE
    assert_error("DryRunOperation", ec2.run_instances, **launch, DryRun=True)
    api.control("capacity", {"architecture": True})
    code, message, _ = error_of(ec2.run_instances, **launch, DryRun=True)
    assert code == "InvalidParameterValue"
    other = next(name for name in NAMES if name != EC2_ARCHITECTURE)
    assert message.startswith(
        f"The architecture '{other}' of the specified instance type does not match the "
        f"architecture '{EC2_ARCHITECTURE}' of the specified AMI."
    )
    (image,) = api.add_images({"name": "one", "architecture": other})
    options = {"ImageId": image, "DryRun": True}
    assert_error("DryRunOperation", ec2.run_instances, **launch | options)


def test_account_without_default_vpc(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    subnet = subnet_in(api, FIRST)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    api.control("capacity", {"default_vpc": "none"})
    for options in ({}, {"DryRun": True}):
        code, message, _ = error_of(ec2.run_instances, **launch, **options)
        assert code == "VPCIdNotSpecified"
        assert message.startswith("No default VPC for this user")
    assert_error("VPCIdNotSpecified", create_group, ec2=ec2, name="g")
    is_default = [{"Name": "is-default", "Values": ["true"]}]
    assert ec2.describe_vpcs(Filters=is_default)["Vpcs"] == []
    assert not any(entry["DefaultForAz"] for entry in ec2.describe_subnets()["Subnets"])
    group = create_group(ec2, "g", VpcId=vpc["VpcId"])
    api.run_instance(SubnetId=subnet, SecurityGroupIds=[group])
    api.control("capacity", {})
    assert len(ec2.describe_vpcs(Filters=is_default)["Vpcs"]) == 1
    api.run_instance()


def test_default_vpc_without_subnets(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    subnet = subnet_in(api, FIRST)
    api.control("capacity", {"default_vpc": "no-subnets"})
    text = f"No subnets found for the default VPC '{vpc['VpcId']}'. Please specify a subnet."
    for options in ({}, {"DryRun": True}):
        answer = error_of(ec2.run_instances, **launch, **options)
        assert answer == ("MissingInput", text, 400)
    create_group(ec2, "g")
    api.run_instance(SubnetId=subnet)


def test_pending_images_are_unavailable(api: Api) -> None:
    ec2, remote = api.client("ec2"), api.client("ec2", "us-east-1")
    (image,) = api.add_images({"name": "one", "state": "pending"})
    text = f"The AMI ID '{image}' is currently pending and may not be used for this operation"
    copy = {"Name": "copy", "SourceImageId": image, "SourceRegion": REGION}
    permission = {"ImageId": image, "LaunchPermission": {"Add": [{"UserId": OTHER_ACCOUNT}]}}
    attribute = {"ImageId": image, "Attribute": "launchPermission"}
    unavailable = "InvalidAMIID.Unavailable"

    def codes() -> list[str | None]:
        answers: list[str | None] = []
        for call, arguments in (
            (ec2.run_instances, {**LAUNCH, "ImageId": image, "DryRun": True}),
            (remote.copy_image, copy),
            (ec2.describe_image_attribute, attribute),
            (ec2.modify_image_attribute, permission),
            (ec2.deregister_image, {"ImageId": image, "DryRun": True}),
        ):
            try:
                call(**arguments)
                answers.append(None)
            except ClientError as error:
                answers.append(error.response["Error"]["Code"])
                if answers[-1] == unavailable:
                    assert error.response["Error"]["Message"] == text
        return answers

    assert codes() == [unavailable, unavailable, None, None, "DryRunOperation"]
    api.control("capacity", {"pending_images": ["ModifyImageAttribute"]})
    assert codes() == [unavailable, unavailable, None, unavailable, "DryRunOperation"]
    api.control("capacity", {"pending_images": True})
    assert codes() == [unavailable] * 5
    ec2.create_tags(Resources=[image], Tags=[{"Key": "a", "Value": "b"}])


def test_capacity_is_reset_and_validated(api: Api) -> None:
    settings: dict[str, Any] = {"vcpu_limit": 4, "refuse": [{"zone": FIRST}], "architecture": True}
    assert api.control("capacity", settings) == settings
    assert api.control("capacity") == settings
    api.control("reset", {})
    assert api.control("capacity") == {}
    for body, text in (
        ({"limit": 1}, "the body has an unknown member 'limit'"),
        ({"refuse": [{"az": "a"}]}, "an entry of refuse has an unknown member 'az'"),
        ({"refuse": [{"code": "No"}]}, "code must be one of InsufficientInstanceCapacity, Unsupp"),
        ({"vcpu_limit": "4"}, "vcpu_limit must be a number of at least 0, and not '4'"),
        ({"default_vpc": "some"}, "default_vpc must be one of none, no-subnets, and not 'some'"),
        ({"default_vpc": None}, "default_vpc must be a text, and not None"),
        ({"pending_images": "x"}, "pending_images must be a list, and not 'x'"),
    ):
        status, error = api.try_control("capacity", body)
        assert (status, error.startswith(f"capacity: {text}")) == (400, True), error
