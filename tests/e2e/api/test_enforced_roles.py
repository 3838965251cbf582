"""With the policies that `bakeline permissions` prints, and nothing else, each command works. The local EC2 enforces the roles:
actions, resources, tags, Regions, trust policies and external IDs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.run import CompletedRun
from support.sandbox import Sandbox
from support.seeded_history import SECOND, TWO, SeededHistory
from support.state import OTHER, OWN, ExpectedState

BUCKET = "enforced-store"
WRITE = f"arn:aws:iam::{OTHER}:role/bakeline"
READ = f"arn:aws:iam::{OTHER}:role/bakeline-read"
DENIALS = ("UnauthorizedOperation", "AccessDenied", "not authorized")
COMMANDS = {
    "read": (["plan"], ["doctor"], ["explain", "IMAGE"], ["list"], ["prune"], ["sweep"], ["why", "IMAGE"]),
    "promote": (
        ["promote", "IMAGE", "--to", "Prod"],
        ["rollback", "IMAGE", "--env", "Prod"],
        ["hold", "IMAGE", TWO, "--release-hold"],
        ["revoke", "IMAGE", TWO],
        ["doctor", "--apply"],
    ),
    "prune": (["prune", "--apply", "--keep", "1"], ["sweep", "--apply"]),
}


class EnforcedRoles:
    """A catalog whose commands run with the credentials of the printed roles."""

    def __init__(self, history: SeededHistory) -> None:
        self.history = history
        self.roles: list[dict[str, Any]] = self.printed("iam")
        self.trusts = {(r["name"], tuple(r["accounts"])): r["policy"] for r in self.printed("trust")}

    def printed(self, form: str) -> list[dict[str, Any]]:
        words = ["permissions", "--format", form, "--account", OWN]
        words += ["--gitlab-project", "acme/images"] if form == "trust" else []
        found: list[dict[str, Any]] = json.loads(self.history.catalog.bakeline(*words, want=0).out)
        return found

    def create(self) -> None:
        for role in self.roles:
            for account in role["accounts"] or [OWN]:
                iam = self.history.observer.client("iam", (account, self.history.sandbox.region))
                # A test has no OIDC provider, so the account itself assumes the roles at home.
                trust = self.trusts[(role["name"], tuple(role["accounts"]))]
                if not role["accounts"]:
                    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
                    trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{OWN}:root"}
                iam.create_role(RoleName=role["name"], Path=role["path"], AssumeRolePolicyDocument=json.dumps(trust))
                self.put_policies(iam, role, without=None)

    def put_policies(self, iam: Any, role: dict[str, Any], without: str | None) -> None:
        for number, policy in enumerate(role["policies"]):
            text = json.dumps(policy)
            text = text.replace(f'"{without}"', f'"{without}Not"') if without else text
            iam.put_role_policy(RoleName=role["name"], PolicyName=f"printed-{number}", PolicyDocument=text)

    @contextmanager
    def enforcement(self) -> Iterator[None]:
        """Limits roles to their policies. Otherwise the roles of the observer could do nothing."""
        self.history.sandbox.control("policies", {"enforce_roles": True})
        try:
            yield
        finally:
            self.history.sandbox.control("policies", {})

    def image(self) -> tuple[str, ExpectedState]:
        """Creates an image whose snapshots have the tag of the catalog, as those of a release do."""
        image, table = self.history.image(promoted=False)
        for place in table.cells:
            amis = self.history.observer.amis(place, image)
            snapshots = [ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for ami in amis]
            tag = {"Key": "bakeline:catalog", "Value": self.history.catalog.name}
            self.history.observer.client("ec2", place).create_tags(Resources=snapshots, Tags=[tag])
        return image, table

    def run(self, purpose: str, *words: str) -> CompletedRun:
        """Runs a command with the credentials of the role of a purpose."""
        with self.enforcement():
            return self.history.catalog.bakeline(*words, env=self.environment(purpose))

    def environment(self, purpose: str) -> dict[str, str]:
        """Returns the credentials of the role of a purpose at home."""
        arn = f"arn:aws:iam::{OWN}:role/bakeline-enforced-{purpose}"
        sts = self.history.sandbox.client("sts")
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


@pytest.fixture(scope="module")
def enforced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> EnforcedRoles:
    sandbox.reset()
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": WRITE, "read_role": READ, "external_id": "acme/7"}
    catalog = Catalog(
        sandbox,
        tmp_path_factory.mktemp("enforced") / "catalog",
        "enforced",
        regions=[sandbox.region, SECOND],
        environments=[{"name": "Test"}, prod],
        store={"s3": {"bucket": BUCKET, "prefix": "team"}},
        brakes={"percent": 100},
    )
    catalog.file("scripts/mark.sh", "echo x > /etc/x\n")
    catalog.image("base", source=VENDOR)
    roles = EnforcedRoles(SeededHistory(sandbox, catalog))
    roles.create()
    return roles


@pytest.mark.parametrize("purpose", COMMANDS)
def test_commands_work_with_the_printed_policies(enforced: EnforcedRoles, purpose: str) -> None:
    history = enforced.history
    image, _ = enforced.image()
    for words in COMMANDS[purpose]:
        mark = history.sandbox.mark()
        done = enforced.run(purpose, *(image if word == "IMAGE" else word for word in words))
        assert done.code in (0, 5), done
        assert not any(word in done.err for word in DENIALS), done
        calls = history.sandbox.api(mark)
        assert {OWN, OTHER} <= {call["account"] for call in calls} or words[0] == "list", words


def test_read_role_changes_nothing(enforced: EnforcedRoles) -> None:
    history = enforced.history
    image, table = enforced.image()
    mark = history.sandbox.mark()
    for words in (*COMMANDS["promote"], *COMMANDS["prune"]):
        done = enforced.run("read", *(image if word == "IMAGE" else word for word in words))
        assert any(word in done.err for word in DENIALS), done
        # A sweep that finds nothing at home has nothing to do.
        assert done.code != 0 or words[0] == "sweep" and "that could be listed" in done.err, done
    succeeded = {call["action"] for call in history.sandbox.api(mark) if call["status"] < 400}
    assert not succeeded & set(history.sandbox.changes(mark)) - {"AssumeRole"}, succeeded
    history.observer.assert_matches(table, image)


@pytest.mark.parametrize("action", ["ec2:CopyImage", "ec2:CreateTags", "ssm:PutParameter", "ec2:DescribeImages"])
def test_missing_permission_is_named(enforced: EnforcedRoles, action: str) -> None:
    """The action is removed from the role in the other account only, so the locations at home are promoted."""
    history = enforced.history
    image, table = enforced.image()
    [role] = [r for r in enforced.roles if r["accounts"] and r["name"] == "bakeline"]
    iam = history.observer.client("iam", (OTHER, history.sandbox.region))
    enforced.put_policies(iam, role, without=action)
    try:
        done = enforced.run("promote", "promote", image, "--to", "Prod")
        assert done.code in (4, 5, 7) and action.split(":")[1] in done.err, done
    finally:
        enforced.put_policies(iam, role, without=None)
    done = enforced.run("promote", "promote", image, "--to", "Prod")
    assert done.code == 0, done
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


def missing_in_preflight(enforced: EnforcedRoles) -> dict[str, str]:
    """Returns what `preflight` reports as missing to the build role, with the causes. Tools of this host do not matter."""
    done = enforced.run("build", "preflight", "base", "--json")
    found = [check for check in json.loads(done.out)["checks"] if check["group"] != "tools"]
    assert {check["object"] for check in found} >= {f"role {WRITE}", "ec2:RunInstances", "ec2:CreateKeyPair"}, done
    return {check["object"]: check["cause"] for check in found if check["status"] == "missing"}


def test_preflight_has_the_printed_permissions_and_names_a_missing_one(enforced: EnforcedRoles) -> None:
    assert missing_in_preflight(enforced) == {}
    [role] = [r for r in enforced.roles if r["name"] == "bakeline-enforced-build"]
    iam = enforced.history.sandbox.client("iam")
    for action in ("ec2:CreateKeyPair", "ec2:RunInstances"):
        enforced.put_policies(iam, role, without=action)
        try:
            [(name, cause)] = missing_in_preflight(enforced).items()
        finally:
            enforced.put_policies(iam, role, without=None)
        assert name == action and f"not authorized to perform: {action}" in cause, cause
