"""Tests the condition `sessions`: temporary credentials end early."""

from __future__ import annotations

from conftest import ACCOUNT, OTHER_ACCOUNT, Api, assert_error
from test_api_policies import Session, error_of


def test_expired_sessions_fail_until_they_are_renewed(api: Api) -> None:
    api.client("s3", "us-east-1").create_bucket(Bucket="evidence")
    session = Session(api)
    session.client().describe_images()
    result = api.control("sessions", {"expire": True})
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/build/run-1"
    assert [entry["arn"] for entry in result["sessions"]] == [arn]
    assert result["sessions"][0]["seconds"] < 0
    expired = "The security token included in the request is expired"
    for service, call, answer in (
        ("ec2", "describe_images", ("RequestExpired", "Request has expired.", 403)),
        ("sts", "get_caller_identity", ("ExpiredToken", expired, 403)),
        ("ssm", "describe_parameters", ("ExpiredTokenException", expired, 400)),
        ("s3", "list_buckets", ("ExpiredToken", "The provided token has expired.", 400)),
    ):
        assert error_of(getattr(session.client(service), call)) == answer
    Session(api).client().describe_images()
    api.client("ec2").describe_images()


def test_sessions_of_one_account_expire(api: Api) -> None:
    session, other = Session(api), api.account_client(OTHER_ACCOUNT)
    api.control("sessions", {"expire": True, "account": OTHER_ACCOUNT})
    session.client().describe_images()
    assert_error("RequestExpired", other.describe_images)
    remaining = {entry["arn"].split(":")[4]: entry for entry in api.control("sessions")["sessions"]}
    assert remaining[ACCOUNT]["seconds"] > 3000
    assert api.try_control("sessions", {"expired": True})[0] == 400
