"""Tests that a client which is correct on AWS works under realistic conditions, and others fail."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import OTHER_ACCOUNT, REGION, Api, assert_error, tag_specification, wait_until
from test_api_accounts import share_image, share_snapshot
from test_api_security_groups import ALLOW_SSH, create_group

RETRIED = ("NotFound", "Unavailable", "RequestLimitExceeded", "InvalidRequest")
NAMES = ("visibility", "capacity", "rates", "policies")


@pytest.fixture
def realistic(api: Api) -> Api:
    api.control("realistic", {"on": True})
    return api


# A client that polls more often exceeds the rates of EC2.
POLL = 0.25


def retry(call: Any, **arguments: Any) -> Any:
    """Calls until EC2 is consistent, as AWS recommends."""

    def attempt() -> Any:
        try:
            return call(**arguments)
        except ClientError as error:
            if not error.response["Error"]["Code"].endswith(RETRIED):
                raise
            return None

    return wait_until(attempt, every=POLL)


def test_correct_client_builds_and_copies_an_image(realistic: Api) -> None:
    api, ec2 = realistic, realistic.client("ec2")
    group = create_group(ec2, "g")
    retry(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=ALLOW_SSH)
    ec2.create_key_pair(KeyName="k")
    launch = {
        "ImageId": api.vendor_image(),
        "InstanceType": "t3.micro" if "x86_64" in architecture_of(api) else "t4g.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": "k",
        "SecurityGroupIds": [group],
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecifications": [tag_specification("instance", run="1")],
    }
    instance = retry(ec2.run_instances, **launch)["Instances"][0]["InstanceId"]
    retry(ec2.describe_instances, InstanceIds=[instance])
    api.wait_for_instance(instance, "running")
    image = ec2.create_image(InstanceId=instance, Name="one")["ImageId"]

    def is_available(client: Any, name: str) -> bool:
        images = retry(client.describe_images, ImageIds=[name])["Images"]
        return bool(images[0]["State"] == "available")

    wait_until(lambda: is_available(ec2, image), every=POLL)
    share_image(api, image)
    share_snapshot(api, image)
    other = api.account_client(OTHER_ACCOUNT)
    source = {"Name": "one", "SourceImageId": image, "SourceRegion": REGION}
    copy = retry(other.copy_image, **source)["ImageId"]
    wait_until(lambda: is_available(other, copy), every=POLL)
    tagged = [{"Name": "tag:run", "Values": ["1"]}]
    wait_until(lambda: ec2.describe_instances(Filters=tagged)["Reservations"], every=POLL)
    retry(ec2.terminate_instances, InstanceIds=[instance])
    api.wait_for_instance(instance, "terminated")
    retry(ec2.delete_security_group, GroupId=group)


def architecture_of(api: Api) -> str:
    return str(api.describe_image(api.vendor_image())["Architecture"])


def test_hasty_client_fails(realistic: Api) -> None:
    ec2, image = realistic.client("ec2"), realistic.vendor_image()
    launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    group = create_group(ec2, "g")
    code = "InvalidGroup.NotFound"
    permissions = {"GroupId": group, "IpPermissions": ALLOW_SSH}
    assert_error(code, ec2.authorize_security_group_ingress, **permissions)
    assert_error("UnauthorizedOperation", ec2.run_instances, **launch)


def test_realistic_conditions_are_switched_off_and_on(api: Api) -> None:
    result = api.control("realistic", {"on": True})
    assert result["on"] and result["values"]["pending"] == {"seconds": 3.0}
    assert api.control("pending") == {"seconds": 3.0}
    for name in NAMES:
        current = api.control(name)
        current.pop("throttled", None)
        assert current == result["values"][name] != {}
    without_imdsv2 = api.control("realistic", {"on": True, "imdsv2": False})["values"]
    assert "policies" not in without_imdsv2
    assert api.control("policies") == {}
    api.control("realistic", {"on": False})
    assert [api.control(name) for name in NAMES] == [{}] * len(NAMES)
    default = {"seconds": api.server.state.default_pending_seconds}
    assert api.control("pending") == default
    api.control("realistic", {"on": True})
    api.control("reset", {})
    assert api.control("realistic") == {"on": False, "values": {}}
    assert [api.control(name) for name in NAMES] == [{}] * len(NAMES)
    status, error = api.try_control("realistic", {"yes": True})
    assert (status, "unknown member 'yes'" in error) == (400, True)
