"""Environments with `distribute: share`: other accounts launch the AMIs of the builder's account. The judge is boto3 with the
credentials of these accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.catalog import VENDOR, Catalog, tags
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis
from support.seeded_history import ROLE, SECOND
from support.state import OTHER, OWN, CloudObserver

MEMBER = "444444444444"
ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-abcdefghij"
FIRST_TAGS = {"bakeline:current": "Prod=2026-01-01T00:00:00Z", "Environment": "Prod"}


class SharedCatalog:
    """A catalog that shares Prod with another account and an organization, in two Regions."""

    def __init__(self, sandbox: Sandbox, at: Path) -> None:
        sandbox.reset()
        sandbox.control("organizations", {"members": {MEMBER: [ORGANIZATION]}})
        prod = {
            "name": "Prod",
            "distribute": "share",
            "accounts": [OTHER],
            "organizations": [ORGANIZATION],
            "role": ROLE,
        }
        ladder = [{"name": "Test", "regions": [sandbox.region]}, prod]
        waits = {"keep": 1, "reserve": 1, "disable_after": "0s", "deregister_after": "0s"}
        self.catalog = Catalog(
            sandbox, at, "shared", regions=[sandbox.region, SECOND], environments=ladder, retention=waits
        )
        self.catalog.image("base", source=VENDOR)
        self.sandbox, self.seeded = sandbox, SeededAmis(sandbox, self.catalog)
        self.observer = CloudObserver(sandbox, "shared")

    def promote(self, day: int) -> str:
        """Creates a version in Test, promotes it, and returns its AMI at home."""
        previous = [ami for ami in self.catalog.images() if "Test=" in tags(ami).get("bakeline:current", "")]
        for ami in previous:
            rest = " ".join(w for w in tags(ami)["bakeline:current"].split() if not w.startswith("Test="))
            self.sandbox.client("ec2").create_tags(
                Resources=[ami["ImageId"]], Tags=[{"Key": "bakeline:current", "Value": rest}]
            )
        ami = self.seeded.add("base", day, {"bakeline:current": HERE})
        self.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
        return ami

    def pointer(self, account: str, region: str) -> str:
        ssm = self.observer.client("ssm", (account, region))
        return str(ssm.get_parameter(Name="/bakeline/shared/base/Prod/x86_64")["Parameter"]["Value"])

    def ami(self, version: str, region: str) -> str:
        """Returns the AMI of a version in a Region of the builder's account."""
        found = self.observer.amis((OWN, region), "base")
        [ami] = [one["ImageId"] for one in found if tags(one)["bakeline:version"] == version]
        return str(ami)

    def launch(self, account: str, region: str, ami: str) -> str:
        ec2 = self.observer.client("ec2", (account, region))
        started = ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        return str(started["Instances"][0]["InstanceId"])

    def can_launch(self, account: str, region: str, ami: str) -> bool:
        """Returns whether an account sees an AMI and can launch it; both must agree."""
        ec2 = self.observer.client("ec2", (account, region))
        try:
            found = ec2.describe_images(ImageIds=[ami], Owners=[OWN])["Images"]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidAMIID.NotFound", error
            found = []
        if not found:
            with pytest.raises(ClientError) as caught:
                self.launch(account, region, ami)
            assert caught.value.response["Error"]["Code"] in ("AuthFailure", "InvalidAMIID.NotFound"), caught.value
            return False
        ec2.terminate_instances(InstanceIds=[self.launch(account, region, ami)])
        # Otherwise prune would keep the AMI, because it was launched.
        self.sandbox.control("launched", {"id": ami, "region": region, "time": None})
        return True

    def latest(self, account: str, region: str) -> Any:
        """Returns what `latest` prints with the credentials of another account, without a checkout."""
        sts = self.sandbox.client("sts")
        keys = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/user", RoleSessionName="user")["Credentials"]
        env = {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
        words = ("latest", "base", "--env", "Prod", "--catalog", "shared", "--region", region, "--json")
        done = self.catalog.bakeline(*words, env=env)
        return json.loads(done.out) if done.code == 0 else done


@pytest.fixture(scope="module")
def shared(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SharedCatalog:
    return SharedCatalog(sandbox, tmp_path_factory.mktemp("shared") / "catalog")


def test_account_and_organization_launch_shared_amis(shared: SharedCatalog) -> None:
    home = shared.promote(1)
    for region in (shared.sandbox.region, SECOND):
        ami = shared.ami("20260101.1", region)
        assert (region == SECOND) == (ami != home), "one copy for each further Region"
        assert shared.observer.amis((OTHER, region)) == [], "no copy in the account"
        other = shared.observer.client("ec2", (OTHER, region))
        explicit = other.describe_images(ExecutableUsers=["self"], Owners=[OWN])["Images"]
        assert [one["ImageId"] for one in explicit] == [ami]
        for account in (OTHER, MEMBER):
            assert shared.can_launch(account, region, ami), (account, region)
        assert not shared.can_launch("555555555555", region, ami), "an account outside of the organization"
        assert shared.pointer(OTHER, region) == shared.pointer(OWN, region) == ami
        found = shared.latest(OTHER, region)
        assert (found["ami"], found["version"], found["owner"]) == (ami, "20260101.1", OWN)


def test_revoked_version_cannot_be_launched(shared: SharedCatalog) -> None:
    shared.promote(2)
    for region in (shared.sandbox.region, SECOND):
        assert shared.pointer(OTHER, region) == shared.ami("20260102.1", region)
        assert shared.can_launch(OTHER, region, shared.ami("20260102.1", region))
    shared.catalog.bakeline("revoke", "base", "20260102.1", "--apply", want=0)
    for region in (shared.sandbox.region, SECOND):
        revoked, first = (shared.ami(version, region) for version in ("20260102.1", "20260101.1"))
        for account in (OTHER, MEMBER):
            assert not shared.can_launch(account, region, revoked), (account, region)
            assert shared.can_launch(account, region, first), (account, region)
        assert shared.pointer(OTHER, region) == first
        assert shared.latest(OTHER, region)["ami"] == first
    assert shared.catalog.bakeline("doctor").code == 0


def test_prune_keeps_amis_that_an_account_may_use(shared: SharedCatalog) -> None:
    shared.promote(3)
    shared.promote(4)
    home, second = shared.sandbox.region, SECOND
    used = shared.ami("20260101.1", second)
    instance = shared.launch(OTHER, second, used)
    shared.catalog.bakeline("prune", "--apply", "--percent", "100", want=0)
    amis = {
        (region, tags(one)["bakeline:version"]): one
        for region in (home, second)
        for one in shared.observer.amis((OWN, region), "base")
    }
    for region in (home, second):
        # Nothing proves that the accounts of the organization do not use it.
        unused = amis[region, "20260103.1"]
        assert unused["State"] == "available" and "DeprecationTime" in unused, unused
        # The revoked version has no launch permissions, so only the listed account could use it.
        assert (region, "20260102.1") not in amis, amis
    in_use = amis[second, "20260101.1"]
    assert in_use["ImageId"] == used and "DeprecationTime" not in in_use, "an instance of the other account uses it"
    shared.observer.client("ec2", (OTHER, second)).terminate_instances(InstanceIds=[instance])


def test_role_that_cannot_list_instances_keeps_amis(shared: SharedCatalog) -> None:
    denied = {"deny": [{"account": OTHER, "action": "ec2:DescribeInstances"}]}
    shared.sandbox.control("policies", denied)
    try:
        done = shared.catalog.bakeline("prune", "--json", want=0)
    finally:
        shared.sandbox.control("policies", {})
    fates = json.loads(done.out)
    assert fates and not any(one["retire"] for one in fates), done
    assert f"references in account {OTHER}" in done.out, done
