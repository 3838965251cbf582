"""AWS profiles of every kind load. A missing session is reported, and a profile with a session works."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.sandbox import Sandbox

CONFIG = """
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Release
region = {region}
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = {region}
sso_registration_scopes = sso:account:access

[profile sso-legacy]
sso_start_url = https://corp.awsapps.com/start
sso_region = {region}
sso_account_id = 123456789012
sso_role_name = Release
region = {region}

[profile login]
login_session = arn:aws:iam::123456789012:user/someone
region = {region}

[profile process]
credential_process = cat {process}
region = {region}

[profile chained]
source_profile = process
role_arn = arn:aws:iam::222222222222:role/bakeline
region = {region}
"""


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("profiles"), "profiles")
    made.image("base", source=VENDOR)
    keys = {"AccessKeyId": sandbox.env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": sandbox.env["AWS_SECRET_ACCESS_KEY"]}
    process = made.file("process.json", json.dumps({"Version": 1, **keys}))
    made.file("aws.config", CONFIG.format(region=sandbox.region, process=process))
    yield made


def environment(catalog: Catalog, profile: str) -> dict[str, str]:
    home = catalog.at / "home"
    home.mkdir(exist_ok=True)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    none = {name: "" for name in names}
    return {**none, "AWS_PROFILE": profile, "AWS_CONFIG_FILE": str(catalog.at / "aws.config"), "HOME": str(home)}


@pytest.mark.parametrize("profile", ["process", "chained"])
def test_profile_with_a_session_works(sandbox: Sandbox, catalog: Catalog, profile: str) -> None:
    mark = sandbox.mark()
    catalog.bakeline("list", env=environment(catalog, profile), want=0)
    [call] = [call for call in sandbox.api(mark) if call["action"] == "DescribeImages"]
    assert ("222222222222" in call["caller"]) == (profile == "chained"), call


@pytest.mark.parametrize("profile", ["sso", "sso-legacy", "login"])
def test_profile_without_session_is_reported(catalog: Catalog, profile: str) -> None:
    done = catalog.bakeline("list", env=environment(catalog, profile), want=1)
    assert "cargo feature" not in done.err, done
    assert any(word in done.err for word in ("token", "session", "login", "cache")), done


def test_sso_profile_with_a_cached_session_asks_for_role_credentials(sandbox: Sandbox, catalog: Catalog) -> None:
    """The session's token comes from the cache of `aws sso login`; the local EC2 serves no SSO, and its answer is reported."""
    cache: Path = catalog.at / "home/.aws/sso/cache"
    cache.mkdir(parents=True)
    wait_until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {
        "accessToken": "not-a-secret",
        "expiresAt": wait_until,
        "region": sandbox.region,
        "startUrl": "https://corp.awsapps.com/start",
    }
    (cache / f"{hashlib.sha1(b'corp').hexdigest()}.json").write_text(json.dumps(token))
    mark = sandbox.mark()
    done = catalog.bakeline("list", env=environment(catalog, "sso"), want=1)
    assert "cargo feature" not in done.err and "not-a-secret" not in done.err, done
    [call] = sandbox.api(mark)
    assert call["service"] is None and call["status"] == 403, "GetRoleCredentials, which is not signed, was asked"
