"""Tests the condition `rates`, and the limits of tags, which always apply."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import OTHER_ACCOUNT, REGION, Api, assert_error, wait_until
from test_api_policies import error_of

FILTER = [{"Name": "instance-state-name", "Values": ["running"]}]
LIMITED = "RequestLimitExceeded"


def count_successes(call: Any, times: int, **arguments: Any) -> int:
    """Returns how many of several calls are not throttled."""
    successes = 0
    for _ in range(times):
        try:
            call(**arguments)
            successes += 1
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in (LIMITED, "DryRunOperation"), error
            successes += code == "DryRunOperation"
    return successes


def test_bucket_limits_and_refills(api: Api) -> None:
    ec2, image = api.client("ec2"), api.vendor_image()
    launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    api.control("rates", {"enabled": True})
    started_at = time.monotonic()
    successes = count_successes(ec2.run_instances, 12, **launch, DryRun=True)
    elapsed = time.monotonic() - started_at
    assert 5 <= successes <= 5 + 2 * elapsed + 1
    while True:
        code, message, status = error_of(ec2.run_instances, **launch, DryRun=True)
        if code == LIMITED:
            break
    assert (message, status) == ("Request limit exceeded.", 503)
    assert api.control("rates")["throttled"]["RunInstances"] >= 12 - successes
    wait_until(lambda: count_successes(ec2.run_instances, 1, **launch, DryRun=True))


def test_buckets_are_separate(api: Api) -> None:
    ec2, other = api.client("ec2"), api.account_client(OTHER_ACCOUNT)
    bucket = {"size": 1, "refill": 0}
    api.control("rates", {"actions": {"DescribeImages": bucket, "DescribeVpcs": bucket}})
    ec2.describe_images(Owners=["self"])
    assert_error(LIMITED, ec2.describe_images, Owners=["self"])
    ec2.describe_vpcs()
    other.describe_images(Owners=["self"])
    api.client("ec2", "us-east-1").describe_images(Owners=["self"])
    api.client("sts").get_caller_identity()
    api.control("rates", {"enabled": False})
    ec2.describe_images(Owners=["self"])


def test_lists_without_filters_have_a_smaller_bucket(api: Api) -> None:
    ec2 = api.client("ec2")
    api.control("rates", {"enabled": True})
    started_at = time.monotonic()
    successes = count_successes(ec2.describe_volumes, 75)
    assert 50 <= successes <= 50 + 10 * (time.monotonic() - started_at) + 1
    assert count_successes(ec2.describe_volumes, 30, MaxResults=50) == 30
    assert count_successes(ec2.describe_instances, 60, Filters=FILTER) == 60


def test_launch_takes_a_token_for_each_instance(api: Api) -> None:
    ec2, image = api.client("ec2"), api.vendor_image()
    launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "DryRun": True}
    api.control("rates", {"actions": {"RunInstances": {"size": 99, "refill": 9}}})
    assert count_successes(ec2.run_instances, 1, **launch, MaxCount=990) == 1
    assert count_successes(ec2.run_instances, 1, **launch, MaxCount=900) == 0
    assert count_successes(ec2.run_instances, 1, **launch, MaxCount=2) == 1


def test_concurrent_copies_are_limited(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    source = {"SourceImageId": image, "SourceRegion": REGION}
    ec2, remote = api.client("ec2"), api.client("ec2", "us-east-1")
    api.control("rates", {"copies": 2})
    api.control("copies", {"seconds": 600, "times": 2, "region": REGION})
    copies = [ec2.copy_image(Name=f"copy-{number}", **source)["ImageId"] for number in range(2)]
    assert error_of(ec2.copy_image, Name="copy-2", **source)[:2] == (
        "ResourceLimitExceeded",
        "Too many snapshot copies in progress. The limit is 2 for this destination region.",
    )
    remote.copy_image(Name="copy-2", **source)
    ec2.deregister_image(ImageId=copies[0])
    ec2.copy_image(Name="copy-2", **source)


def test_default_limit_of_copies_is_twenty(api: Api) -> None:
    (image,) = api.add_images({"name": "one"})
    source = {"SourceImageId": image, "SourceRegion": REGION}
    ec2 = api.client("ec2")
    api.control("rates", {"enabled": True})
    api.control("copies", {"seconds": 600, "times": 30})
    for number in range(20):
        ec2.copy_image(Name=f"copy-{number}", **source)
    assert_error("ResourceLimitExceeded", ec2.copy_image, Name="copy-20", **source)


def tags(count: int, **more: str) -> list[dict[str, str]]:
    entries = {f"key-{number}": "x" for number in range(count)} | more
    return [{"Key": key, "Value": value} for key, value in entries.items()]


@pytest.mark.parametrize(
    ("tag_list", "code", "text"),
    [
        (tags(51), "TagLimitExceeded", ""),
        (
            tags(0, **{"k" * 129: ""}),
            "InvalidParameterValue",
            "key exceeds the maximum length of 1",
        ),
        (tags(0, a="v" * 257), "InvalidParameterValue", "value exceeds the maximum length of 256"),
    ],
)
def test_tag_limits_apply_to_all_creating_calls(
    api: Api, tag_list: list[dict[str, str]], code: str, text: str
) -> None:
    ec2, instance = api.client("ec2"), api.run_instance()
    (image,) = api.add_images({"name": "one"})
    launch = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    for resource_type, call, arguments in (
        ("instance", ec2.run_instances, launch),
        ("volume", ec2.run_instances, launch),
        ("image", ec2.create_image, {"InstanceId": instance, "Name": "two"}),
        ("snapshot", ec2.create_image, {"InstanceId": instance, "Name": "two"}),
        ("image", ec2.copy_image, {"SourceImageId": image, "SourceRegion": REGION, "Name": "two"}),
        ("security-group", ec2.create_security_group, {"GroupName": "g", "Description": "d"}),
        ("key-pair", ec2.create_key_pair, {"KeyName": "k"}),
    ):
        specifications = [{"ResourceType": resource_type, "Tags": tag_list}]
        actual, message, _ = error_of(call, **arguments, TagSpecifications=specifications)
        assert (actual, text in message) == (code, True), message
    actual, message, _ = error_of(ec2.create_tags, Resources=[image], Tags=tag_list)
    assert (actual, text in message) == (code, True), message
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    assert ec2.describe_key_pairs()["KeyPairs"] == []


def test_tags_at_the_limits_are_accepted(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    ec2.create_tags(Resources=[image], Tags=tags(49, **{"k" * 128: "v" * 256}))
    assert_error("TagLimitExceeded", ec2.create_tags, Resources=[image], Tags=tags(0, new="x"))
    ec2.create_tags(Resources=[image], Tags=[{"Key": "key-1", "Value": "other"}])


def test_rates_are_reset_and_validated(api: Api) -> None:
    settings = {"actions": {"CopyImage": {"size": 2, "refill": 0.5}}, "copies": 5}
    assert api.control("rates", settings) == settings | {"throttled": {}}
    api.control("reset", {})
    assert api.control("rates") == {}
    for body, text in (
        ({"limit": 1}, "the body has an unknown member 'limit'"),
        ({"copies": 0}, "copies must be a number of at least 1, and not 0"),
        (
            {"actions": {"CopyImage": {"size": 2}}},
            "CopyImage.refill must be a number of at least 0",
        ),
        ({"actions": {"CopyImage": 2}}, "CopyImage must be an object, and not 2"),
    ):
        status, error = api.try_control("rates", body)
        assert (status, error.startswith(f"rates: {text}")) == (400, True), error
