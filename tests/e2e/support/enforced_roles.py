"""Runs commands with the credentials of the roles that `bakeline permissions` prints, while the local EC2 enforces them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .catalog import VENDOR, Catalog
from .run import CompletedRun
from .sandbox import Sandbox
from .seeded_history import SECOND, SeededHistory
from .state import OTHER, OWN, ExpectedState

BUCKET = "enforced-store"
WRITE = f"arn:aws:iam::{OTHER}:role/bakeline"
READ = f"arn:aws:iam::{OTHER}:role/bakeline-read"
DENIALS = ("UnauthorizedOperation", "AccessDenied", "not authorized")
"""Texts of AWS in the answers to denied calls."""


class EnforcedRoles:
    """A catalog whose commands run with the credentials of the printed roles."""

    def __init__(self, history: SeededHistory) -> None:
        self.history, self.sandbox, self.catalog = history, history.sandbox, history.catalog
        self.roles: list[dict[str, Any]] = self.printed("iam")
        self.trusts = {(r["name"], tuple(r["accounts"])): r["policy"] for r in self.printed("trust")}

    def printed(self, form: str, *more: str) -> list[dict[str, Any]]:
        words = ["permissions", "--format", form, "--account", OWN, *more]
        words += ["--gitlab-project", "acme/images"] if form == "trust" else []
        found: list[dict[str, Any]] = json.loads(self.catalog.bakeline(*words, want=0).out)
        return found

    def create(self) -> None:
        for role in self.roles:
            for account in role["accounts"] or [OWN]:
                # A test has no OIDC provider, so the account itself assumes the roles at home.
                trust = self.trusts[(role["name"], tuple(role["accounts"]))]
                if not role["accounts"]:
                    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
                    trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{OWN}:root"}
                words = {"RoleName": role["name"], "Path": role["path"]}
                self.iam(account).create_role(**words, AssumeRolePolicyDocument=json.dumps(trust))
            self.put_policies(role, without=None)

    def iam(self, account: str) -> Any:
        return self.history.observer.client("iam", (account, self.sandbox.region))

    def put_policies(self, role: dict[str, Any], without: str | None) -> None:
        """Replaces the policies of a role in all of its accounts."""
        for account in role["accounts"] or [OWN]:
            for number, policy in enumerate(role["policies"]):
                text = json.dumps(policy)
                text = text.replace(f'"{without}"', f'"{without}Not"') if without else text
                name = f"printed-{number}"
                self.iam(account).put_role_policy(RoleName=role["name"], PolicyName=name, PolicyDocument=text)

    def create_key(self) -> str:
        """Creates a KMS key at home that the other account may use, and returns its ARN."""
        roots = [f"arn:aws:iam::{account}:root" for account in (OWN, OTHER)]
        allowed = {"Effect": "Allow", "Principal": {"AWS": roots}, "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        return str(self.sandbox.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])

    @contextmanager
    def removed(self, role: dict[str, Any], action: str) -> Iterator[None]:
        """Removes an action from all policies of a role."""
        self.put_policies(role, without=action)
        try:
            yield
        finally:
            self.put_policies(role, without=None)

    @contextmanager
    def enforcement(self) -> Iterator[None]:
        """Limits roles to their policies. Otherwise the roles of the observer could do nothing."""
        self.sandbox.control("policies", {"enforce_roles": True})
        try:
            yield
        finally:
            self.sandbox.control("policies", {})

    def image(self, promoted: bool = False, **facts: str) -> tuple[str, ExpectedState]:
        """Creates an image whose snapshots have the tag of the catalog, as those of a release do."""
        image, table = self.history.image(promoted, **facts)
        for place in table.cells:
            amis = self.history.observer.amis(place, image)
            snapshots = [ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for ami in amis]
            tag = {"Key": "bakeline:catalog", "Value": self.catalog.name}
            self.history.observer.client("ec2", place).create_tags(Resources=snapshots, Tags=[tag])
        return image, table

    def run(self, purpose: str, *words: str, env: Mapping[str, str] | None = None) -> CompletedRun:
        """Runs a command with the credentials of the role of a purpose."""
        with self.enforcement():
            return self.catalog.bakeline(*words, env={**self.environment(purpose), **(env or {})})

    def environment(self, purpose: str) -> dict[str, str]:
        """Returns the credentials of the role of a purpose at home."""
        arn = f"arn:aws:iam::{OWN}:role/bakeline-{self.catalog.name}-{purpose}"
        sts = self.sandbox.client("sts")
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


def create_enforced_roles(
    sandbox: Sandbox, at: Path, environment: dict[str, Any] | None = None, **project: Any
) -> EnforcedRoles:
    """Returns a catalog in two Regions and two accounts, with the store in S3, and its roles. `environment` are more settings
    of the environment with accounts."""
    sandbox.reset()
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": WRITE, "read_role": READ, "external_id": "acme/7"}
    prod |= environment or {}
    settings = {
        "regions": [sandbox.region, SECOND],
        "environments": [{"name": "Test"}, prod],
        "store": {"s3": {"bucket": BUCKET, "prefix": "team"}},
        "brakes": {"percent": 100, "most": 10_000},
        **project,
    }
    catalog = Catalog(sandbox, at, "enforced", **settings)
    catalog.file("scripts/mark.sh", "echo x > /etc/x\n")
    catalog.image("base", source=VENDOR)
    roles = EnforcedRoles(SeededHistory(sandbox, catalog))
    roles.create()
    return roles
