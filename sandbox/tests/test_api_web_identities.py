"""Tests the condition `identities`: ID tokens are exchanged for sessions of trusting roles."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_api_policies import allow, document

HOST = "gitlab.example.com"
ISSUER = f"https://{HOST}"
SUBJECT = "project_path:acme/images:ref_type:branch:ref:"
INVALID = "InvalidIdentityToken"


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign(key: RSAPrivateKey, **claims: Any) -> str:
    default = {"iss": ISSUER, "aud": ISSUER, "sub": f"{SUBJECT}main", "exp": time.time() + 60}
    header = encode(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    signed = f"{header}.{encode(json.dumps({**default, **claims}).encode())}"
    return f"{signed}.{encode(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def prepare(api: Api, key: RSAPrivateKey, **condition: Any) -> str:
    """Creates the provider and a role that trusts it; returns the ARN of the role."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    api.control("identities", {"issuers": {ISSUER: pem.decode()}})
    iam = api.client("iam")
    arn = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[ISSUER])
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": arn["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition or {"StringEquals": {f"{HOST}:sub": f"{SUBJECT}main"}},
    }
    role = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=document(trust))
    return str(role["Role"]["Arn"])


def exchange(api: Api, arn: str, token: str) -> dict[str, Any]:
    config = Config(signature_version=UNSIGNED)
    sts = boto3.client("sts", REGION, endpoint_url=api.server.endpoint, config=config)
    words = {"RoleArn": arn, "RoleSessionName": "job", "WebIdentityToken": token}
    return dict(sts.assume_role_with_web_identity(**words)["Credentials"])


def test_trusted_token_gets_a_session_of_the_role(api: Api, key: RSAPrivateKey) -> None:
    arn = prepare(api, key)
    keys = exchange(api, arn, sign(key))
    api.control("policies", {"enforce_roles": True})
    words = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    caller = api.client("sts", **words).get_caller_identity()["Arn"]
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/job"
    assert_error("UnauthorizedOperation", api.client("ec2", **words).describe_images)
    policy = document(allow("ec2:DescribeImages"))
    api.client("iam").put_role_policy(RoleName="ci", PolicyName="p", PolicyDocument=policy)
    api.client("ec2", **words).describe_images()


def test_other_tokens_are_refused(api: Api, key: RSAPrivateKey) -> None:
    arn = prepare(api, key)
    claims: list[tuple[str, dict[str, Any]]] = [
        ("AccessDenied", {"sub": f"{SUBJECT}feature"}),
        ("AccessDenied", {"sub": f"{SUBJECT}main2"}),
        (INVALID, {"aud": "https://other.example.com"}),
        (INVALID, {"iss": "https://other.example.com"}),
        ("ExpiredTokenException", {"exp": time.time() - 1}),
    ]
    for code, changed in claims:
        assert_error(code, exchange, api=api, arn=arn, token=sign(key, **changed))
    header, payload, signature = sign(key).split(".")
    forged = encode(json.dumps({"iss": ISSUER, "aud": ISSUER, "sub": f"{SUBJECT}main"}).encode())
    for token in (f"{header}.{forged}.{signature}", f"{header}.{payload}", "a.b.c", "none"):
        assert_error(INVALID, exchange, api=api, arn=arn, token=token)
    other = generate_private_key(65537, 2048)
    assert_error(INVALID, exchange, api=api, arn=arn, token=sign(other))
    missing = arn.replace("role/ci", "role/none")
    assert_error("AccessDenied", exchange, api=api, arn=missing, token=sign(key))
    other_account = arn.replace(ACCOUNT, OTHER_ACCOUNT)
    assert_error(INVALID, exchange, api=api, arn=other_account, token=sign(key))
    exchange(api, arn, sign(key))


def test_wildcard_of_trust_policy_matches_any_branch(api: Api, key: RSAPrivateKey) -> None:
    arn = prepare(api, key, StringLike={f"{HOST}:sub": f"{SUBJECT}*"})
    exchange(api, arn, sign(key, sub=f"{SUBJECT}feature/x"))
    other = "project_path:evil/images:ref_type:branch:ref:main"
    assert_error("AccessDenied", exchange, api=api, arn=arn, token=sign(key, sub=other))
    api.control("identities", {})
    assert_error("AccessDenied", exchange, api=api, arn=arn, token=sign(key))
