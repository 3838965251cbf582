"""TLS, endpoints and the settings of the bucket: every client trusts AWS_CA_BUNDLE, finds the right S3 host, and writes
what the policy of the bucket requires. botocore and boto3 judge."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from support.catalog import VENDOR, Catalog
from support.gateway import Answer, Connects, Gateway, Received, create_authority
from support.run import HANG, wait_until
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

BUCKET = "connections"
NO_ENDPOINTS = {"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": ""}


def create_bucket(sandbox: Sandbox, name: str) -> None:
    place = {"LocationConstraint": sandbox.region}
    sandbox.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)


def keys_of(sandbox: Sandbox, bucket: str) -> list[str]:
    return [one["Key"] for one in sandbox.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("by", ["variable", "profile"])
def test_every_client_trusts_the_authority_of_the_network(sandbox: Sandbox, tmp_path: Path, by: str) -> None:
    """EC2, SSM, STS and S3 clients, and the webhook if the variable names the file."""
    sandbox.reset()
    create_bucket(sandbox, BUCKET)
    root, server = create_authority(tmp_path)
    catalog = Catalog(sandbox, tmp_path / "catalog", "connections", store={"s3": {"bucket": BUCKET}})
    catalog.image("base", source=VENDOR)
    SeededAmis(sandbox, catalog).add("base", 20, {"bakeline:current": HERE})
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {root}\n" if by == "profile" else "")
    hook = urlsplit(sandbox.env["BAKELINE_SLACK_WEBHOOK_URL"])
    with Gateway(sandbox.env["AWS_ENDPOINT_URL"], tls=server) as gateway:
        address = urlsplit(gateway.url)
        env = {
            "AWS_ENDPOINT_URL": gateway.url,
            "AWS_CONFIG_FILE": str(config),
            "BAKELINE_SLACK_WEBHOOK_URL": hook._replace(scheme="https", netloc=address.netloc).geturl(),
        }
        if by == "variable":
            untrusted = catalog.bakeline("promote", "base", "--to", "Prod", env=env, want=1)
            assert "set AWS_CA_BUNDLE" in untrusted.err and not gateway.requests, untrusted
            env["AWS_CA_BUNDLE"] = str(root)
        done = catalog.bakeline("promote", "base", "--to", "Prod", env=env, want=0)
        served = {
            one.headers["authorization"].split("/")[3] for one in gateway.requests if "authorization" in one.headers
        }
        assert served == {"ec2", "ssm", "sts", "s3"}, done
        assert (hook.path in [one.path for one in gateway.requests]) == (by == "variable"), done
    assert catalog.latest("base", "Prod") in SeededAmis(sandbox, catalog).amis_by_id()
    assert keys_of(sandbox, BUCKET)


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), ("", "no certificate"), ("-----BEGIN", "PEM")])
def test_unusable_authority_is_named(sandbox: Sandbox, tmp_path: Path, content: str | None, says: str) -> None:
    catalog = Catalog(sandbox, tmp_path / "catalog", "authority")
    catalog.image("base", source=VENDOR)
    file = tmp_path / "corp.pem"
    if content is not None:
        file.write_text(content)
    mark = sandbox.mark()
    done = catalog.bakeline("plan", env={"AWS_CA_BUNDLE": str(file)}, want=1)
    assert "AWS_CA_BUNDLE" in done.err and str(file) in done.err and sandbox.api(mark) == [], done
    assert says in done.err or content == "-----BEGIN", done


@pytest.mark.parametrize(
    ("region", "fips", "dual"),
    [
        ("eu-west-1", False, False),
        ("us-east-1", True, False),
        ("eu-central-1", False, True),
        ("us-gov-west-1", True, True),
        ("cn-north-1", False, False),
        ("cn-northwest-1", False, True),
        ("eusc-de-east-1", False, False),
    ],
)
def test_s3_host_is_that_of_botocore(sandbox: Sandbox, tmp_path: Path, region: str, fips: bool, dual: bool) -> None:
    """A proxy sees the host that bakeline connects to. The profile sets dual-stack, the environment FIPS."""
    catalog = Catalog(sandbox, tmp_path / "catalog", "hosts", regions=[region], store={"s3": {"bucket": "my-bucket"}})
    catalog.image("base", source=VENDOR)
    config = tmp_path / "config"
    config.write_text("[default]\nuse_dualstack_endpoint = true\n" if dual else "")
    own = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual, s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("s3", region_name=region, config=own, **keys)
    url = client.generate_presigned_url("list_objects_v2", {"Bucket": "my-bucket"})
    with Connects() as proxy:
        env = {
            **NO_ENDPOINTS,
            "HTTPS_PROXY": proxy.url,
            "NO_PROXY": "",
            "AWS_CONFIG_FILE": str(config),
            "AWS_USE_FIPS_ENDPOINT": "true" if fips else "",
        }
        done = catalog.bakeline("unlock", env=env, want=1)
    assert {host.removesuffix(":443") for host in proxy.hosts} == {urlsplit(url).netloc}, done


def test_endpoint_of_the_catalog_and_of_the_environment(sandbox: Sandbox, tmp_path: Path) -> None:
    """`endpoint` comes before AWS_ENDPOINT_URL, and AWS_ENDPOINT_URL_S3 before both."""
    sandbox.reset()
    create_bucket(sandbox, BUCKET)
    upstream = sandbox.env["AWS_ENDPOINT_URL"]
    with Gateway(upstream) as own, Gateway(upstream) as general, Gateway(upstream) as service:
        store = {"s3": {"bucket": BUCKET, "endpoint": own.url}}
        catalog = Catalog(sandbox, tmp_path / "catalog", "endpoints", store=store)
        catalog.image("base", source=VENDOR)
        env = {"AWS_ENDPOINT_URL": general.url}
        catalog.bakeline("unlock", env=env, want=0)
        assert own.requests and not general.requests
        seen = len(own.requests)
        catalog.bakeline("unlock", env={**env, "AWS_ENDPOINT_URL_S3": service.url}, want=0)
        assert service.requests and len(own.requests) == seen and not general.requests


def test_endpoint_that_is_no_url_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "catalog", "urls", store={"s3": {"bucket": BUCKET}})
    catalog.image("base", source=VENDOR)
    for url in ("s3.example.com", "https://", "ftp://s3"):
        done = catalog.bakeline("unlock", env={"AWS_ENDPOINT_URL_S3": url}, want=1)
        assert "the S3 endpoint is not a URL" in done.err, done


def base64_sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def denied(text: str) -> Answer:
    return 403, f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>".encode()


def require_kms(received: Received) -> Answer:
    """Answers as the usual bucket policy: PutObject needs SSE-KMS."""
    is_encrypted = received.headers.get("x-amz-server-side-encryption") == "aws:kms"
    return (
        denied("with an explicit deny in a resource-based policy")
        if received.method == "PUT" and not is_encrypted
        else None
    )


def require_checksum(received: Received) -> Answer:
    """Answers as a bucket with a default retention of Object Lock."""
    has_checksum = any(name.startswith("x-amz-checksum-") or name == "content-md5" for name in received.headers)
    if received.method != "PUT" or has_checksum:
        return None
    text = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
    return 400, f"<Error><Code>InvalidRequest</Code><Message>{text}</Message></Error>".encode()


@pytest.mark.parametrize(
    ("policy", "settings", "hint"),
    [
        (require_kms, {"sse": "aws:kms"}, "set `sse` and `kms_key`"),
        (require_kms, {"sse": "aws:kms", "kms_key": "alias/store"}, "set `sse` and `kms_key`"),
        (require_checksum, {"checksum": "sha256"}, "`checksum: sha256`"),
    ],
)
def test_bucket_gets_what_its_policy_requires(
    sandbox: Sandbox, tmp_path: Path, policy: object, settings: dict[str, str], hint: str
) -> None:
    sandbox.reset()
    create_bucket(sandbox, BUCKET)
    catalog = Catalog(sandbox, tmp_path / "catalog", "policy", store={"s3": {"bucket": BUCKET}})
    catalog.image("base", source=VENDOR)
    SeededAmis(sandbox, catalog).add("base", 20, {"bakeline:current": HERE})
    with Gateway(sandbox.env["AWS_ENDPOINT_URL"], policy) as gateway:  # type: ignore[arg-type]
        env = {"AWS_ENDPOINT_URL_S3": gateway.url}
        mark = sandbox.mark()
        refused = catalog.bakeline("promote", "base", "--to", "Prod", env=env, want=1)
        assert hint in refused.err and sandbox.changes(mark) == [], refused
        own = json.loads((catalog.at / "bakeline.yaml").read_text())
        own["store"]["s3"].update(settings)
        catalog.file("bakeline.yaml", json.dumps(own))
        catalog.bakeline("promote", "base", "--to", "Prod", env=env, want=0)
    s3 = sandbox.client("s3")
    for key in keys_of(sandbox, BUCKET):
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert head.get("ServerSideEncryption") == settings.get("sse"), key
        if "kms_key" in settings:
            assert head["SSEKMSKeyId"].endswith(settings["kms_key"]), head
    assert keys_of(sandbox, BUCKET)
    # The local EC2 keeps no checksums, so the gateway's view counts.
    written = [one for one in gateway.requests if one.method == "PUT"][1:]
    sums = {one.headers.get("x-amz-checksum-sha256") == base64_sha256(one.body) for one in written}
    assert sums == {"checksum" in settings}


def test_session_is_opened_in_the_region_of_the_catalog(sandbox: Sandbox, tmp_path: Path) -> None:
    """A stand-in for the AWS CLI records its arguments. The Region of the environment is another one."""
    sandbox.reset()
    builder = {"access": "ssm", "instance_profile": "build"}
    catalog = Catalog(sandbox, tmp_path / "catalog", "sessions", builder=builder)
    catalog.image("base", source=VENDOR, checks=[{"file": "/etc/passwd"}])
    ami = SeededAmis(sandbox, catalog).add("base", 20, {"bakeline:current": HERE})
    launched = sandbox.client("ec2").run_instances(ImageId=ami, InstanceType="t3.small", MinCount=1, MaxCount=1)
    instance = launched["Instances"][0]["InstanceId"]
    sandbox.client("ec2").get_waiter("instance_running").wait(InstanceIds=[instance])
    command = catalog.file("bin/aws", f'#!/bin/sh\necho "$*" >> {catalog.at}/words\nexit 1\n')
    command.chmod(0o755)
    env = {"PATH": f"{command.parent}:{catalog.env['PATH']}", "AWS_REGION": "us-west-2"}
    done = catalog.bakeline("check", "base", instance, env=env)
    assert done.code != 0, done
    words = (catalog.at / "words").read_text().splitlines()[0]
    expected = f"ssm start-session --region {sandbox.region} --target {instance} --document-name AWS-StartSSHSession"
    assert words == f"{expected} --parameters portNumber=22", done


@pytest.mark.parametrize("public", [False, True])
def test_subnet_decides_about_public_addresses_of_test_instances(
    sandbox: Sandbox, tmp_path: Path, public: bool
) -> None:
    """As for Packer's instances, only `public_address: true` asks for an address."""
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "catalog", "addresses", builder={"public_address": public})
    catalog.image("base", source=VENDOR, checks=[{"file": "/etc/passwd"}])
    ami = SeededAmis(sandbox, catalog).add("base", 20, {"bakeline:current": HERE})
    with Gateway(sandbox.env["AWS_ENDPOINT_URL"]) as gateway:
        catalog.env["AWS_ENDPOINT_URL"] = gateway.url
        process = catalog.start("check", "base", ami)
        bodies = lambda: [parse_qs(one.body.decode()) for one in gateway.requests if b"Action=RunInstances" in one.body]
        try:
            [launch, *_] = wait_until(bodies, HANG / 4, "the launch of the test instance")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(HANG)
    assert launch["NetworkInterface.1.DeviceIndex"] == ["0"]
    assert launch.get("NetworkInterface.1.AssociatePublicIpAddress") == (["true"] if public else None)
