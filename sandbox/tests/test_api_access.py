"""Tests who can call the server, errors of unsupported calls, and the log of calls."""

from __future__ import annotations

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error, error_code, send_request

UNKNOWN_KEY = {"aws_access_key_id": "AKIAAAAAAAAAAAAAAAAA", "aws_secret_access_key": "x"}
SERVICE_CALLS = [
    ("ec2", "describe_images", "AuthFailure"),
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ("iam", "list_roles", "InvalidClientTokenId"),
    ("ssm", "describe_parameters", "UnrecognizedClientException"),
    ("kms", "list_keys", "UnrecognizedClientException"),
    ("s3", "list_buckets", "InvalidAccessKeyId"),
]


def local_host(api: Api) -> str:
    return f"127.0.0.1:{api.server.port}"


def s3_authorization(api: Api) -> str:
    scope = f"{api.server.access_key}/20260101/{REGION}/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(("service", "call", "code"), SERVICE_CALLS)
def test_unknown_key_is_denied(api: Api, service: str, call: str, code: str) -> None:
    client = api.client(service, **UNKNOWN_KEY)
    with pytest.raises(ClientError) as caught:
        getattr(client, call)()
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_browser_requests_are_denied(api: Api) -> None:
    host, origin = local_host(api), "http://evil.example"
    body = "Action=DescribeImages"
    assert send_request(api, "POST", "/", body, Host="evil.example")[0] == 403
    status, _, headers = send_request(
        api, "OPTIONS", "/", Host=host, Origin=origin, Access_Control_Request_Method="POST"
    )
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]
    key = {"X_Bakeline_Key": api.server.access_key}
    for path in ("/_bakeline/control/status", "/_bakeline/control/reset"):
        assert send_request(api, "GET", path, Host=host)[0] == 403
        assert send_request(api, "GET", path, Host=host, Origin=origin, **key)[0] == 403
    assert len(api.server.access_key) == 20


def test_moto_api_is_denied(api: Api) -> None:
    host, authorization = local_host(api), s3_authorization(api)
    reset = ("POST", "/moto-api/reset")
    assert send_request(api, *reset, Host=host)[0] == 403
    assert send_request(api, *reset, Host=host, Authorization=authorization)[0] == 403
    assert send_request(api, "GET", "/latest/meta-data/", Host=host)[0] == 403


def test_temporary_keys_identify_the_account(api: Api) -> None:
    sts = api.client("sts")
    arn = f"arn:aws:iam::{ACCOUNT}:role/r"
    for response in (
        sts.get_session_token(),
        sts.assume_role(RoleArn=arn, RoleSessionName="test"),
    ):
        credentials = response["Credentials"]
        ec2 = api.client(
            "ec2",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key="x",
            aws_session_token=credentials["SessionToken"],
        )
        ec2.describe_images()
    other = api.account_client(OTHER_ACCOUNT, "sts")
    assert other.get_caller_identity()["Account"] == OTHER_ACCOUNT


def test_anonymous_calls_are_denied(api: Api) -> None:
    sts = boto3.client(
        "sts",
        region_name=REGION,
        endpoint_url=api.server.endpoint,
        config=Config(signature_version=UNSIGNED),
    )
    role = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/ci",
        "RoleSessionName": "job",
        "WebIdentityToken": "a.b.c",
    }
    assert_error("AccessDenied", sts.assume_role_with_web_identity, **role)
    code = error_code(sts.get_caller_identity)
    assert code in ("MissingAuthenticationToken", "InvalidClientTokenId")


def test_unsupported_calls_return_aws_errors(api: Api) -> None:
    ec2, code = api.client("ec2"), "UnsupportedOperation"
    api.run_instance()
    filters = [{"Name": "colour", "Values": ["red"]}]
    attribute = {"VolumeId": "vol-00000000", "Attribute": "autoEnableIO"}
    assert_error(code, ec2.describe_fast_launch_images)
    assert_error(code, ec2.describe_instances, Filters=filters)
    assert_error(code, ec2.register_image, Name="abc")
    assert_error(code, ec2.describe_volume_attribute, **attribute)
    assert_error(code, api.client("ssm").describe_instance_information)
    assert_error(code, api.client("dynamodb").list_tables)


def test_other_services_answer(api: Api) -> None:
    s3, kms, bucket = api.client("s3"), api.client("kms"), {"Bucket": "evidence"}
    location = {"LocationConstraint": REGION}
    s3.create_bucket(**bucket, CreateBucketConfiguration=location)
    item = {**bucket, "Key": "a/b"}
    s3.put_object(**item, Body=b"x" * 100_000, IfNoneMatch="*")
    assert_error("PreconditionFailed", s3.put_object, **item, Body=b"y", IfNoneMatch="*")
    assert len(s3.get_object(**item)["Body"].read()) == 100_000
    assert s3.head_object(**item)["ContentLength"] == 100_000
    large = {**bucket, "Key": "large.json"}
    s3.put_object(**large, Body=b"1" * 5_000_000, ContentType="application/json")
    assert s3.head_object(**large)["ContentLength"] == 5_000_000
    assert_error("NoSuchKey", s3.get_object, **bucket, Key="none")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    api.client("ssm").put_parameter(Name="/secret", Value="hush-hush", Type="SecureString")
    assert api.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_log_contains_calls_but_no_secrets(api: Api) -> None:
    ssm, ec2 = api.client("ssm"), api.client("ec2")
    ssm.put_parameter(Name="/secret", Value="hush-hush", Type="SecureString")
    missing = "ami-00000000000000000"
    assert_error("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[missing])
    put, describe = api.read_log("api.jsonl")[-2:]
    for name, value in {
        "service": "ssm",
        "action": "PutParameter",
        "status": 200,
        "error": None,
    }.items():
        assert put[name] == value
    for name, value in {
        "service": "ec2",
        "action": "DescribeImages",
        "status": 400,
        "error": "InvalidAMIID.NotFound",
        "resources": {"ImageId.1": missing},
        "region": REGION,
        "account": ACCOUNT,
        "caller": f"arn:aws:iam::{ACCOUNT}:root",
    }.items():
        assert describe[name] == value
    text = (api.server.state_dir.run_dir / "api.jsonl").read_text()
    server = api.server
    for secret in (server.access_key, server.secret_key, server.webhook_token, "hush-hush"):
        assert secret not in text


def test_hints_contain_the_state_directory(api: Api) -> None:
    directory = f"--dir {api.server.state_dir.path}`"
    with pytest.raises(ClientError) as caught:
        api.client("ec2", **UNKNOWN_KEY).describe_images()
    message = caught.value.response["Error"]["Message"]
    assert f"`bakeline sandbox status --env {directory}" in message
    body = send_request(api, "POST", "/", Host="evil.example")[1]
    assert f"`bakeline sandbox status {directory}" in body
    headers = {"Host": local_host(api), "Authorization": s3_authorization(api)}
    body = send_request(api, "POST", "/moto-api/reset", **headers)[1]
    assert f"`bakeline sandbox reset {directory}" in body
