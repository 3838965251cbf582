"""Packer gets the credentials that bakeline resolved, and their renewals. Sessions that cannot last are reported before a
change. The API log of the local EC2 says who called."""

from __future__ import annotations

import datetime
import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.gateway import Answer, Gateway, Received
from support.run import HANG, wait_until
from support.sandbox import Sandbox

CONFIG = """
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Release
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = {region}
sso_registration_scopes = sso:account:access

[profile process]
credential_process = cat {process}

[profile admin]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = process
mfa_serial = arn:aws:iam::123456789012:mfa/someone

[profile team]
role_arn = arn:aws:iam::222222222222:role/team
source_profile = admin
"""
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class IdentityCenter:
    """Answers GetRoleCredentials with a new session of the local EC2 each time."""

    def __init__(self, sandbox: Sandbox, minutes: float) -> None:
        self.sandbox, self.minutes, self.sessions = sandbox, minutes, []

    def answer(self, received: Received) -> Answer:
        assert received.path.startswith("/federation/credentials"), received.path
        assert received.headers["x-amz-sso_bearer_token"] == "not-a-secret"
        name = f"session-{len(self.sessions)}"
        role = "arn:aws:iam::123456789012:role/Release"
        made = self.sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        self.sessions.append(made)
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=self.minutes)
        keys = {
            "accessKeyId": made["AccessKeyId"],
            "secretAccessKey": made["SecretAccessKey"],
            "sessionToken": made["SessionToken"],
            "expiration": int(end.timestamp() * 1000),
        }
        return 200, json.dumps({"roleCredentials": keys}).encode()


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    sandbox.reset()
    made = Catalog(sandbox, tmp_path / "catalog", "credentials")
    made.image("base", source=VENDOR)
    keys = {"AccessKeyId": sandbox.env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": sandbox.env["AWS_SECRET_ACCESS_KEY"]}
    process = made.file("process.json", json.dumps({"Version": 1, **keys}))
    config = made.file("aws.config", CONFIG.format(region=sandbox.region, process=process))
    made.env |= {"AWS_CONFIG_FILE": str(config), "HOME": str(made.at / "home")}
    yield made


def use_profile(catalog: Catalog, name: str) -> None:
    catalog.env |= {"AWS_PROFILE": name, **dict.fromkeys(KEYS, "")}


def log_in(catalog: Catalog, left: datetime.timedelta) -> None:
    """Writes the file that `aws sso login` writes, without a refresh token."""
    end = (datetime.datetime.now(datetime.UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
    start = "https://corp.awsapps.com/start"
    token = {"accessToken": "not-a-secret", "expiresAt": end, "region": catalog.sandbox.region, "startUrl": start}
    catalog.file(f"home/.aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json", json.dumps(token))


def calls_of_packer(sandbox: Sandbox, mark: int) -> list[dict[str, Any]]:
    return [call for call in sandbox.api(mark) if "aws-sdk-go" in call["user_agent"]]


def build_until_launch(catalog: Catalog) -> list[dict[str, Any]]:
    """Starts a release, stops it after Packer launched its instance, and returns Packer's calls, also those that clean up."""
    sandbox, mark = catalog.sandbox, catalog.sandbox.mark()
    process = catalog.start("release")

    def launched() -> bool:
        assert process.poll() is None, (catalog.at / "out.log").read_text()
        return any(call["action"] == "RunInstances" for call in calls_of_packer(sandbox, mark))

    try:
        wait_until(launched, HANG / 4, "the launch of Packer's instance")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG)
    assert process.returncode == 130, (catalog.at / "out.log").read_text()
    return calls_of_packer(sandbox, mark)


def test_packer_uses_renewed_sessions_of_identity_center(sandbox: Sandbox, catalog: Catalog) -> None:
    """Packer 1.6.6 knows no `sso_session`. The sessions are so short that Packer asks for the next one at every call."""
    log_in(catalog, datetime.timedelta(hours=8))
    center = IdentityCenter(sandbox, minutes=4)
    with Gateway(sandbox.env["AWS_ENDPOINT_URL"], center.answer) as gateway:
        use_profile(catalog, "sso")
        catalog.env["AWS_ENDPOINT_URL_SSO"] = gateway.url
        calls = build_until_launch(catalog)
    callers = {call["caller"] for call in calls}
    assert all(":assumed-role/Release/session-" in caller for caller in callers), callers
    assert len(callers) > 2, callers
    # EC2 may not know the new instance yet. bakeline then terminates it.
    terminations = [call for call in calls if call["action"] == "TerminateInstances"]
    assert terminations and {call["error"] for call in terminations} <= {None, "InvalidInstanceID.NotFound"}, (
        terminations
    )
    written = [file for file in catalog.at.glob(".bakeline/**/*") if file.is_file()]
    texts = {file: file.read_text(errors="replace") for file in [*written, catalog.at / "out.log"]}
    for session in center.sessions:
        for part in ("SecretAccessKey", "SessionToken"):
            assert not [file for file, text in texts.items() if session[part] in text]


def test_packer_gets_the_keys_of_a_process_profile(sandbox: Sandbox, catalog: Catalog) -> None:
    use_profile(catalog, "process")
    catalog.env["AWS_SDK_LOAD_CONFIG"] = ""
    calls = build_until_launch(catalog)
    assert {call["caller"] for call in calls} == {"arn:aws:iam::123456789012:root"}
    assert {call["status"] for call in calls if call["action"] == "RunInstances"} == {200}


@pytest.mark.parametrize("profile", ["admin", "team"])
def test_profile_with_mfa_is_refused_with_a_way_that_works(sandbox: Sandbox, catalog: Catalog, profile: str) -> None:
    mark = sandbox.mark()
    env = dict(catalog.env)
    use_profile(catalog, profile)
    done = catalog.bakeline("list", want=1)
    assert "the AWS profile `admin` sets `mfa_serial`" in done.err and sandbox.api(mark) == [], done
    assert f"export-credentials --profile {profile}" in done.err and "credential_process" in done.err, done
    # The session of that command is in the environment, where the profile does not matter.
    catalog.bakeline("list", env={**env, "AWS_PROFILE": profile}, want=0)


def expire_in(minutes: float) -> str:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    return end.isoformat(timespec="seconds")


def test_short_session_of_the_environment_is_reported_before_a_build(sandbox: Sandbox, catalog: Catalog) -> None:
    session = sandbox.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/Release", RoleSessionName="short"
    )["Credentials"]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    catalog.env |= dict(zip(KEYS, (session[name] for name in names), strict=True))
    # The release ends at a plan that does not exist, after the checks of the session.
    release = ("release", "--plan", "missing.json")
    for minutes, expected in ((42.5, "ends in 42 min"), (61.5, "")):
        done = catalog.bakeline(*release, env={"AWS_CREDENTIAL_EXPIRATION": expire_in(minutes)}, want=1)
        assert "missing.json" in done.err and expected in done.err, done
        assert ("session ends" in done.err) == bool(expected), done
    mark, before = sandbox.mark(), sorted(catalog.at.rglob("*"))
    done = catalog.bakeline("release", env={"AWS_CREDENTIAL_EXPIRATION": expire_in(-1)}, want=1)
    assert "the AWS session expired at" in done.err and "load a new session" in done.err, done
    assert sandbox.api(mark) == [] and sorted(catalog.at.rglob("*")) == before


def test_expired_login_is_refused_before_a_build(sandbox: Sandbox, catalog: Catalog) -> None:
    log_in(catalog, datetime.timedelta(minutes=-1))
    use_profile(catalog, "sso")
    mark = sandbox.mark()
    done = catalog.bakeline("release", want=1)
    assert "the AWS session expired at" in done.err and "aws sso login --profile sso" in done.err, done
    assert sandbox.api(mark) == []
    # Other commands report it when they ask for credentials.
    done = catalog.bakeline("list", want=1)
    assert "`aws sso login`" in done.err, done


@pytest.mark.parametrize(
    ("action", "code", "message", "hint"),
    [
        ("GetCallerIdentity", "SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2", "check the clock"),
        ("DescribeImages", "RequestExpired", "Request has expired.", "check the clock"),
    ],
)
def test_clock_error_says_so(
    sandbox: Sandbox, catalog: Catalog, action: str, code: str, message: str, hint: str
) -> None:
    sandbox.control("faults", {"action": action, "code": code, "message": message, "status": 403, "times": 20})
    done = catalog.bakeline("plan", want=1)
    assert hint in done.err, done


def test_region_that_is_not_enabled_is_named(sandbox: Sandbox, catalog: Catalog) -> None:
    """EC2 answers AuthFailure in a Region that the account has not enabled."""
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, "regions": [sandbox.region, "eu-central-2"]}))
    message = "AWS was not able to validate the provided access credentials"
    fault = {"action": "DescribeImages", "code": "AuthFailure", "message": message, "status": 401, "times": 20}
    sandbox.control("faults", {**fault, "region": "eu-central-2"})
    done = catalog.bakeline("prune")
    assert "eu-central-2 could not be read" in done.err, done
    assert "is the Region eu-central-2 enabled for the account?" in done.err, done
