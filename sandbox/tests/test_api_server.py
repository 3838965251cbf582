"""Tests authentication, faults, the log of calls, the webhook and the control API."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import OTHER_ACCOUNT, REGION, Api, error_code, wait_until


def send_request(
    api: Api, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", api.server.port, timeout=60)
    connection.request(
        method,
        path,
        body=body.encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    answer = connection.getresponse()
    return (
        answer.status,
        answer.read().decode(),
        {name.lower(): value for name, value in answer.getheaders()},
    )


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("ec2", "describe_images", "AuthFailure"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("iam", "list_roles", "InvalidClientTokenId"),
        ("ssm", "describe_parameters", "UnrecognizedClientException"),
        ("kms", "list_keys", "UnrecognizedClientException"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
    ],
)
def test_unknown_key_is_denied(api: Api, service: str, call: str, expected: str) -> None:
    stranger = api.client(
        service, aws_access_key_id="AKIAAAAAAAAAAAAAAAAA", aws_secret_access_key="x"
    )
    with pytest.raises(ClientError) as caught:
        getattr(stranger, call)()
    assert caught.value.response["Error"]["Code"] == expected
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_browser_requests_and_moto_api_are_denied(api: Api) -> None:
    status, _, headers = send_request(
        api, "POST", "/", "Action=DescribeImages", Host="evil.example"
    )
    assert status == 403
    good = f"127.0.0.1:{api.server.port}"
    status, _, headers = send_request(
        api,
        "OPTIONS",
        "/",
        Host=good,
        Origin="http://evil.example",
        Access_Control_Request_Method="POST",
    )
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]
    assert send_request(api, "POST", "/moto-api/reset", Host=good)[0] == 403
    key = f"AWS4-HMAC-SHA256 Credential={api.server.access_key}/20260101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
    assert send_request(api, "POST", "/moto-api/reset", Host=good, Authorization=key)[0] == 403
    assert send_request(api, "GET", "/latest/meta-data/", Host=good)[0] == 403
    for path in ("/_bakeline/control/status", "/_bakeline/control/reset"):
        assert send_request(api, "GET", path, Host=good)[0] == 403
        assert (
            send_request(
                api, "GET", path, Host=good, Origin="http://a", X_Bakeline_Key=api.server.access_key
            )[0]
            == 403
        )
    assert len(api.server.access_key) == 20


def test_temporary_keys_identify_the_account(api: Api) -> None:
    sts = api.client("sts")
    for credentials in (
        sts.get_session_token()["Credentials"],
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="test")[
            "Credentials"
        ],
    ):
        keys = {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": "x",
            "aws_session_token": credentials["SessionToken"],
        }
        api.client("ec2", **keys).describe_images()
    assert (
        api.account_client(OTHER_ACCOUNT, "sts").get_caller_identity()["Account"] == OTHER_ACCOUNT
    )
    options: dict[str, Any] = {
        "region_name": REGION,
        "endpoint_url": api.server.endpoint,
        "config": Config(signature_version=UNSIGNED),
    }
    anonymous = boto3.client("sts", **options)
    role = {
        "RoleArn": "arn:aws:iam::123456789012:role/ci",
        "RoleSessionName": "job",
        "WebIdentityToken": "a.b.c",
    }
    assert error_code(anonymous.assume_role_with_web_identity, **role) == "AccessDenied"
    assert error_code(anonymous.get_caller_identity) in (
        "MissingAuthenticationToken",
        "InvalidClientTokenId",
    )


def test_unsupported_calls_return_aws_errors(api: Api) -> None:
    ec2, _ = api.client("ec2"), api.run_instance()
    assert error_code(ec2.describe_fast_launch_images) == "UnsupportedOperation"
    assert (
        error_code(ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
        == "UnsupportedOperation"
    )
    assert error_code(ec2.register_image, Name="abc") == "UnsupportedOperation"
    assert (
        error_code(ec2.describe_volume_attribute, VolumeId="vol-00000000", Attribute="autoEnableIO")
        == "UnsupportedOperation"
    )
    assert error_code(api.client("ssm").describe_instance_information) == "UnsupportedOperation"
    assert error_code(api.client("dynamodb").list_tables) == "UnsupportedOperation"


def test_other_services_answer(api: Api) -> None:
    s3, kms = api.client("s3"), api.client("kms")
    s3.create_bucket(Bucket="evidence", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="evidence", Key="a/b", Body=b"x" * 100_000, IfNoneMatch="*")
    assert (
        error_code(s3.put_object, Bucket="evidence", Key="a/b", Body=b"y", IfNoneMatch="*")
        == "PreconditionFailed"
    )
    assert len(s3.get_object(Bucket="evidence", Key="a/b")["Body"].read()) == 100_000
    assert s3.head_object(Bucket="evidence", Key="a/b")["ContentLength"] == 100_000
    s3.put_object(
        Bucket="evidence", Key="big.json", Body=b"1" * 5_000_000, ContentType="application/json"
    )
    assert s3.head_object(Bucket="evidence", Key="big.json")["ContentLength"] == 5_000_000
    assert error_code(s3.get_object, Bucket="evidence", Key="none") == "NoSuchKey"
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    api.client("ssm").put_parameter(Name="/secret", Value="hush-hush", Type="SecureString")
    assert api.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_log_contains_calls_but_no_secrets(api: Api) -> None:
    api.client("ssm").put_parameter(Name="/secret", Value="hush-hush", Type="SecureString")
    error_code(api.client("ec2").describe_images, ImageIds=["ami-00000000000000000"])
    last = api.read_log("api.jsonl")[-2:]
    assert [(line["service"], line["action"], line["status"], line["error"]) for line in last] == [
        ("ssm", "PutParameter", 200, None),
        ("ec2", "DescribeImages", 400, "InvalidAMIID.NotFound"),
    ]
    assert last[1]["resources"] == {"ImageId.1": "ami-00000000000000000"}
    assert (last[1]["region"], last[1]["account"], last[1]["caller"]) == (
        REGION,
        "123456789012",
        "arn:aws:iam::123456789012:root",
    )
    text = (api.server.state_dir.run_dir / "api.jsonl").read_text()
    for secret in (
        api.server.access_key,
        api.server.secret_key,
        api.server.webhook_token,
        "hush-hush",
    ):
        assert secret not in text


def test_faults_match_region_resource_and_account(api: Api) -> None:
    instance, ec2 = api.run_instance(), api.client("ec2")
    api.control("faults", {"action": "CreateImage", "code": "InternalError", "times": 1})
    assert error_code(ec2.create_image, InstanceId=instance, Name="one") == "InternalError"
    ec2.create_image(InstanceId=instance, Name="two")
    api.control(
        "faults",
        {"action": "DescribeImages", "code": "RequestLimitExceeded", "status": 503, "times": 99},
    )
    assert error_code(ec2.describe_images) == "RequestLimitExceeded"
    api.control("faults", {"faults": []})
    ec2.describe_images()
    images = api.control("images", [{"name": "a"}, {"name": "b"}])["images"]
    fault = {
        "action": "CreateTags",
        "code": "InternalError",
        "region": REGION,
        "resource": images[0],
        "after": 1,
    }
    api.control("faults", fault)

    def tag(image: str) -> None:
        ec2.create_tags(Resources=[image], Tags=[{"Key": "a", "Value": ""}])

    for image in (images[1], images[0], images[1]):
        tag(image)
    assert api.read_log("api.jsonl")[-1]["resources"] == {"ResourceId.1": images[1]}
    assert error_code(tag, image=images[0]) == "InternalError"
    tag(images[0])
    there = api.client("ec2", "us-east-1")
    api.control(
        "faults", {"action": "DescribeImages", "code": "InternalError", "region": "us-east-1"}
    )
    ec2.describe_images()
    assert error_code(there.describe_images) == "InternalError"
    other = api.account_client(OTHER_ACCOUNT)
    api.control(
        "faults", {"action": "DescribeImages", "code": "InternalError", "account": OTHER_ACCOUNT}
    )
    ec2.describe_images()
    assert error_code(other.describe_images) == "InternalError"


def post_message(api: Api, payload: Any) -> tuple[int, str]:
    address = urlsplit(api.server.client_environment()["BAKELINE_SLACK_WEBHOOK_URL"])
    body = payload if isinstance(payload, str) else json.dumps(payload)
    status, text, headers = send_request(
        api, "POST", address.path, body, Host=address.netloc, Content_Type="application/json"
    )
    if status == 429:
        assert headers["retry-after"] == "7"
    return status, text


def section_block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"text": "hi"}, "ok"),
        ({"blocks": [section_block("x" * 3000), {"type": "divider"}]}, "ok"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "h" * 150}}]}, "ok"),
        ("not json", "invalid_payload"),
        ("[]", "invalid_payload"),
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"blocks": [section_block("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section_block("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "sparkle"}]}, "invalid_blocks"),
        (
            {"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "h" * 151}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "f"}] * 11}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "f" * 2001}]}]},
            "invalid_blocks",
        ),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "hi", "blocks": "none"}, "invalid_blocks"),
    ],
)
def test_webhook_validates_messages(api: Api, payload: Any, expected: str) -> None:
    assert post_message(api, payload) == (200 if expected == "ok" else 400, expected)
    assert api.read_log("slack.jsonl")[-1]["answer"] == expected


def test_webhook_returns_planned_errors(api: Api) -> None:
    api.control("slack", {"status": 429, "retry_after": 7, "times": 2})
    assert [post_message(api, {"text": "x"})[0] for _ in range(3)] == [429, 429, 200]
    api.control("slack", {"status": 500, "times": 1})
    assert post_message(api, {"text": "x"})[0] == 500
    assert (
        send_request(
            api, "POST", "/_bakeline/slack/guess", "{}", Host=f"localhost:{api.server.port}"
        )[0]
        == 404
    )


def test_reset_clears_all_state(api: Api) -> None:
    instance = api.run_instance()
    api.create_image("one", instance=instance)
    api.client("ssm").put_parameter(Name="/a", Value="b", Type="String")
    before = api.control("status")
    assert before["instances"] == {REGION: {"running": 1}}
    assert [image["name"] for image in before["images"]] == ["one"]
    for _ in range(2):
        assert api.control("reset", {}) == {"reset": True}
    after = api.control("status")
    assert (after["instances"], after["images"], len(after["vendor"])) == ({}, [], 2)
    assert "terminate" in api.backend.operations(instance)
    assert len(api.backend.deleted_layers) == 1
    assert error_code(api.client("ssm").get_parameter, Name="/a") == "ParameterNotFound"
    api.run_instance()


def test_delayed_change_is_lost_or_made(api: Api) -> None:
    ec2 = api.client("ec2")

    def create(name: str) -> None:
        with contextlib.suppress(ClientError):
            ec2.create_key_pair(KeyName=name)

    for fate, code_ in (("lost", "InternalError"), ("made", "")):
        api.control("faults", {"action": "*", "code": code_, "after": 1, "delay": 60})
        ec2.describe_key_pairs()
        create(f"{fate}-before")
        stalled = threading.Thread(target=create, args=[fate])
        stalled.start()
        wait_until(lambda: api.control("faults")["held"])
        assert api.control("faults")["held"][0]["action"] == "CreateKeyPair"
        create(f"{fate}-meanwhile")
        api.control("faults", {"faults": []})
        stalled.join(timeout=60)
        wait_until(lambda: not api.control("faults")["held"])
    names = {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]}
    assert names == {"lost-before", "lost-meanwhile", "made-before", "made-meanwhile", "made"}


def test_hints_contain_the_state_directory(api: Api) -> None:
    stranger = api.client(
        "ec2", aws_access_key_id="AKIAAAAAAAAAAAAAAAAA", aws_secret_access_key="x"
    )
    with pytest.raises(ClientError) as caught:
        stranger.describe_images()
    directory = f"--dir {api.server.state_dir.path}`"
    assert (
        f"`bakeline sandbox status --env {directory}" in caught.value.response["Error"]["Message"]
    )
    assert (
        f"`bakeline sandbox status {directory}"
        in send_request(api, "POST", "/", Host="evil.example")[1]
    )
    host = f"127.0.0.1:{api.server.port}"
    key = f"AWS4-HMAC-SHA256 Credential={api.server.access_key}/20260101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
    answer = send_request(api, "POST", "/moto-api/reset", Host=host, Authorization=key)[1]
    assert f"`bakeline sandbox reset {directory}" in answer
