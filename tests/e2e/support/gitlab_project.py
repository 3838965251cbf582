"""A project of GitLab with a catalog: its pipelines, its roles in AWS, and its merge request."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from .catalog import VENDOR, Catalog
from .gitlab import PROJECT, Issuer, NotesServer, Pipelines, install_gitlab_ci_local
from .run import REPO
from .sandbox import Sandbox
from .state import OWN

COMPONENT = REPO / "templates/gitlab/template.yml"
ROLE = f"arn:aws:iam::{OWN}:role/bakeline-gitlab-"
INPUTS = {
    "image": "registry.example.com/bakeline",
    "catalog": "images/",
    "read_role": f"{ROLE}read",
    "release_role": f"{ROLE}build",
    "promote_role": f"{ROLE}promote",
    "prune_role": f"{ROLE}prune",
}
# Fields that GitLab reads, from its documentation of code quality reports.
REPORT = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32,}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^./]"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"type": "integer"}}},
                },
            },
        },
    },
}


def configure(pipelines: Pipelines, job: dict[str, Any] | None = None, **inputs: Any) -> None:
    """Writes the configuration that includes the component. `job` changes the job `plan`. Inputs with the value None are left out."""
    values = {name: value for name, value in {**INPUTS, **inputs}.items() if value is not None}
    included = {"local": "bakeline.yml", "inputs": values}
    text = json.dumps({"include": [included], **({"bakeline-plan": job} if job else {})})
    (pipelines.at / ".gitlab-ci.yml").write_text(text)


def create_pipelines(at: Path, issuer: Issuer, environment: dict[str, str]) -> Pipelines:
    """Creates a repository with the component and its default configuration."""
    pipelines = Pipelines(install_gitlab_ci_local(), at, issuer, environment)
    shutil.copy(COMPONENT, at / "bakeline.yml")
    configure(pipelines)
    (at / ".gitignore").write_text(".bakeline/\n.gitlab-ci-local*\n")
    return pipelines


def create_catalog(sandbox: Sandbox, at: Path) -> Catalog:
    """Creates a catalog with one image and a bucket as store."""
    location = {"LocationConstraint": sandbox.region}
    sandbox.client("s3").create_bucket(Bucket="evidence", CreateBucketConfiguration=location)
    catalog = Catalog(sandbox, at, "gitlab", store={"s3": {"bucket": "evidence"}}, notifiers=[])
    catalog.file("scripts/web.sh", "set -e\necho web > /etc/side\n")
    catalog.image("web", source=VENDOR, scripts=["scripts/web.sh"])
    return catalog


@dataclass
class Project:
    """GitLab project with a catalog in a folder, its roles in AWS, and its merge request."""

    sandbox: Sandbox
    catalog: Catalog
    pipelines: Pipelines
    notes: NotesServer

    def file(self, name: str) -> Path:
        return self.catalog.at / ".bakeline" / name

    def report(self, name: str) -> list[dict[str, Any]]:
        """Reads a code quality report as GitLab does."""
        report = json.loads(self.file(name).read_text())
        jsonschema.validate(report, REPORT)
        assert len({entry["fingerprint"] for entry in report}) == len(report), report
        found: list[dict[str, Any]] = report
        return found

    def succeeded_changes(self, mark: int) -> set[str]:
        """Returns the successful calls since a mark that change something. Signing in changes nothing."""
        succeeded = {call["action"] for call in self.sandbox.api(mark) if call["status"] < 400}
        return succeeded & set(self.sandbox.changes(mark)) - {"AssumeRoleWithWebIdentity"}

    def leftover(self) -> list[str]:
        """Returns the names of the key pairs of ended runs."""
        return [key["KeyName"] for key in self.sandbox.client("ec2").describe_key_pairs()["KeyPairs"]]

    def create_leftover(self) -> None:
        """Creates a key pair of an ended run."""
        names = {"catalog": "gitlab", "run": "dead", "expires": "2026-01-05T00:00:00Z"}
        marks = [{"Key": f"bakeline:{name}", "Value": value} for name, value in names.items()]
        on = [{"ResourceType": "key-pair", "Tags": marks}]
        self.sandbox.client("ec2").create_key_pair(KeyName="dead", TagSpecifications=on)
        self.sandbox.settle()

    def callers(self, mark: int) -> set[str]:
        """Returns the names of the roles of all calls since a mark."""
        callers = {
            str(call["caller"]) for call in self.sandbox.api(mark) if call["action"] != "AssumeRoleWithWebIdentity"
        }
        return {caller.split("/")[1] if "/" in caller else caller for caller in callers}


def create_roles(sandbox: Sandbox, catalog: Catalog, issuer: Issuer) -> None:
    """Creates the OIDC provider of GitLab and the printed roles with their trust policies."""
    sandbox.control("identities", {"issuers": {issuer.url: issuer.public_key()}})
    iam = sandbox.client("iam")
    iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[issuer.url])
    words = ["permissions", "--account", OWN, "--gitlab-project", PROJECT]
    words += ["--gitlab-host", issuer.url.removeprefix("https://")]
    printed = {form: json.loads(catalog.bakeline(*words, "--format", form, want=0).out) for form in ("iam", "trust")}
    trusts = {role["name"]: role["policy"] for role in printed["trust"]}
    for role in printed["iam"]:
        trust = json.dumps(trusts[role["name"]])
        iam.create_role(RoleName=role["name"], Path=role["path"], AssumeRolePolicyDocument=trust)
        for number, policy in enumerate(role["policies"]):
            iam.put_role_policy(RoleName=role["name"], PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
