"""The pipelines of the component for GitLab, run by gitlab-ci-local on the local EC2, which enforces the roles and trust
policies that `bakeline permissions` prints.

gitlab-ci-local evaluates types and options of inputs, rules and scripts. Only GitLab itself evaluates the `regex` of an
input, refuses unknown inputs, expands variables in inputs, and enforces protected branches and environments.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from junitparser import JUnitXml
from support.catalog import VENDOR, Catalog, current, tags
from support.gitlab import (
    NUMBER,
    PROJECT,
    PROJECT_ID,
    TOKEN,
    USER,
    Issuer,
    NotesServer,
    Pipelines,
    install_gitlab_ci_local,
    notes_server,
)
from support.run import REPO
from support.sandbox import Sandbox
from support.state import OWN

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

    def configure(self, job: dict[str, Any] | None = None, **inputs: Any) -> None:
        included = {"local": "bakeline.yml", "inputs": {**INPUTS, **inputs}}
        text = json.dumps({"include": [included], **({"bakeline-plan": job} if job else {})})
        (self.pipelines.at / ".gitlab-ci.yml").write_text(text)

    def succeeded_changes(self, mark: int) -> set[str]:
        """Returns the successful calls since a mark that change something. Signing in changes nothing."""
        succeeded = {call["action"] for call in self.sandbox.api(mark) if call["status"] < 400}
        return succeeded & set(self.sandbox.changes(mark)) - {"AssumeRoleWithWebIdentity"}

    def callers(self, mark: int) -> set[str]:
        """Returns the names of the roles of all calls since a mark."""
        callers = {
            str(call["caller"]) for call in self.sandbox.api(mark) if call["action"] != "AssumeRoleWithWebIdentity"
        }
        return {caller.split("/")[1] if "/" in caller else caller for caller in callers}


@pytest.fixture(scope="module")
def project(shared_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    shared_sandbox.reset()
    issuer, top = Issuer(), tmp_path_factory.mktemp("gitlab") / "repository"
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    # Credentials of the runner, which no job may use.
    environment = {**shared_sandbox.env, **dict.fromkeys(keys, "AKIARUNNER")}
    pipelines = Pipelines(install_gitlab_ci_local(), top, issuer, environment)
    shared_sandbox.client("s3").create_bucket(
        Bucket="evidence", CreateBucketConfiguration={"LocationConstraint": shared_sandbox.region}
    )
    catalog = Catalog(shared_sandbox, top / "images", "gitlab", store={"s3": {"bucket": "evidence"}}, notifiers=[])
    catalog.file("scripts/web.sh", "set -e\necho web > /etc/side\n")
    catalog.image("web", source=VENDOR, scripts=["scripts/web.sh"])
    shutil.copy(COMPONENT, top / "bakeline.yml")
    create_roles(shared_sandbox, catalog, issuer)
    with notes_server() as notes:
        project = Project(shared_sandbox, catalog, pipelines, notes)
        project.configure()
        (top / ".gitignore").write_text(".bakeline/\n.gitlab-ci-local*\n")
        pipelines.commit()
        shared_sandbox.control("policies", {"enforce_roles": True})
        try:
            yield project
        finally:
            shared_sandbox.reset()


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


@pytest.fixture(scope="module")
def released(project: Project) -> dict[str, Any]:
    """Returns the AMI that the pipeline of the schedule `release` builds."""
    mark = project.sandbox.mark()
    done = project.pipelines.main("schedule", BAKELINE_SCHEDULE="release", want=0)
    assert "PASS" in done.out and "bakeline-release" in done.out, done
    assert project.callers(mark) == {"bakeline-gitlab-build"}
    [ami] = project.catalog.images()
    return ami


def test_schedule_releases_with_reports(project: Project, released: dict[str, Any]) -> None:
    assert current(released) == {"Test"}, tags(released)
    runs = project.file("runs")
    [junit] = runs.glob("*/*/checks-boot.junit.xml")
    assert JUnitXml.fromfile(str(junit)) is not None
    [packages] = runs.glob("*/*/packages-boot.cdx.json")
    assert json.loads(packages.read_text())["bomFormat"] == "CycloneDX"
    # The patterns of the component select these files, and no keys.
    component = list(yaml.load_all(COMPONENT.read_text(), Loader=component_loader()))[1]
    artifacts = component["$[[ inputs.prefix ]]release"]["artifacts"]
    assert artifacts["reports"]["junit"].endswith("runs/*/*/checks-*.junit.xml")
    assert artifacts["reports"]["cyclonedx"].endswith("runs/*/*/packages-*.cdx.json")


def component_loader() -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        pass

    return Loader


def test_promotion_waits_for_a_person(project: Project, released: dict[str, Any]) -> None:
    listed = project.pipelines.jobs(project.pipelines.main("push", "--list", want=0))
    assert listed == {"bakeline-validate": "on_success", "bakeline-promote": "manual"}
    missing = project.pipelines.main("push", "bakeline-promote")
    assert "set BAKELINE_IMAGES" in missing.out + missing.err and "WARN 1" in missing.out + missing.err, missing
    mark = project.sandbox.mark()
    project.pipelines.main("push", "bakeline-promote", BAKELINE_IMAGES="web", want=0)
    assert project.callers(mark) == {"bakeline-gitlab-promote"}
    [ami] = project.catalog.images()
    assert current(ami) == {"Test", "Prod"} and ami["ImageId"] == released["ImageId"]


def test_schedules_prune_and_sweep(project: Project, released: dict[str, Any]) -> None:
    mark = project.sandbox.mark()
    done = project.pipelines.main("schedule", BAKELINE_SCHEDULE="prune,sweep", want=0)
    assert done.out.count("PASS") == 2 and project.callers(mark) == {"bakeline-gitlab-prune"}, done
    [ami] = project.catalog.images()
    assert ami["ImageId"] == released["ImageId"]


def test_merge_request_shows_plan_and_changes_nothing(project: Project, released: dict[str, Any]) -> None:
    del released
    pipelines, notes = project.pipelines, project.notes
    notes.add("a review")
    copied = notes.add("<!-- bakeline plan 000000000000 -->\nnot the plan")
    project.catalog.file("scripts/web.sh", "set -e\necho other > /etc/side\n")
    values = {"CI_API_V4_URL": notes.url, "BAKELINE_GITLAB_TOKEN": TOKEN, "CI_COMMIT_SHA": "0123456789abcdef"}
    mark = project.sandbox.mark()
    done = pipelines.merge_request(want=0, **values)
    assert project.callers(mark) == {"bakeline-gitlab-read"} and not project.succeeded_changes(mark)
    assert TOKEN not in done.out + done.err
    assert project.report("validate.json") == []
    [entry] = project.report("plan/code-quality.json")
    assert entry["location"] == {"path": "images/images/web.yaml", "lines": {"begin": 1}}
    assert entry["severity"] == "info" and "scripts/web.sh" in entry["description"], entry
    assert json.loads(project.file("plan/plan.json").read_text())["decisions"][0]["verdict"] == "build"
    plan = project.file("plan/plan.md").read_text()
    assert "| web | build |" in plan and "web" in project.file("plan/plan.txt").read_text()
    note = notes.notes[-1]
    assert len(notes.notes) == 3 and plan.strip() in note["body"] and "for commit 01234567" in note["body"], note
    # The next pipeline updates the note. A copy of its first line by another user does not matter.
    copied["body"] = note["body"]
    values["CI_COMMIT_SHA"] = "fedcba9876543210"
    pipelines.merge_request("bakeline-plan", want=0, **values)
    assert len(notes.notes) == 3 and "for commit fedcba98" in note["body"] and copied["body"] != note["body"]


def test_failed_note_is_a_warning(project: Project) -> None:
    """The facts are those of the plan of the merge request."""
    notes = project.notes
    values = {
        "CI_API_V4_URL": notes.url,
        "CI_MERGE_REQUEST_PROJECT_ID": PROJECT_ID,
        "CI_MERGE_REQUEST_IID": NUMBER,
        "BAKELINE_GITLAB_TOKEN": TOKEN,
    }
    words = ["plan", "--inventory", ".bakeline/plan/inventory.json", "--gitlab-note"]
    notes.failures = [500, 503, 500]
    done = project.catalog.bakeline(*words, env=values, want=0)
    assert not notes.failures and "status 500" in done.err and TOKEN not in done.out + done.err, done
    done = project.catalog.bakeline(*words, env={**values, "BAKELINE_GITLAB_TOKEN": "glpat-old"}, want=0)
    assert "the token is not valid" in done.err and "glpat-old" not in done.out + done.err, done
    # A plan that fails is a note, too, so that the note does not show an old plan.
    done = project.catalog.bakeline("plan", "missing", "--gitlab-note", env=values)
    [note] = [note for note in notes.notes if note["author"] == USER]
    assert done.code == 1 and "**Failed:**" in note["body"] and "missing" in note["body"], note


def test_broken_image_is_shown_with_file_and_line(project: Project) -> None:
    good = (project.catalog.at / "images/web.yaml").read_text()
    project.catalog.file("images/web.yaml", "parent: missing\npackges: [nginx]\n")
    try:
        done = project.pipelines.merge_request("bakeline-validate")
        assert done.code != 0 and "images/web.yaml:2:1" in done.out + done.err, done
        places = {(e["location"]["path"], e["location"]["lines"]["begin"]) for e in project.report("validate.json")}
        assert places == {("images/images/web.yaml", 1), ("images/images/web.yaml", 2)}
        assert {entry["severity"] for entry in project.report("validate.json")} == {"critical"}
    finally:
        project.catalog.file("images/web.yaml", good)


HOSTILE = (
    "bakeline release --force",
    "bakeline promote web --to Prod",
    "bakeline hold web $VERSION",
    "bakeline revoke web $VERSION",
    "bakeline doctor --apply",
    "bakeline prune --apply --keep 1",
    "bakeline sweep --apply",
)


def test_merge_request_cannot_change_anything(project: Project, released: dict[str, Any]) -> None:
    """The merge request changes its own pipeline: it runs other commands, and asks for the other roles."""
    before = project.catalog.images()
    version = tags(released)["bakeline:version"]
    commands = [f"{word.replace('$VERSION', version)} || true" for word in HOSTILE]
    others = [
        f"AWS_ROLE_ARN={ROLE}{name} bakeline prune --apply --keep 1 || true" for name in ("build", "promote", "prune")
    ]
    project.configure({"script": [f"export AWS_ROLE_ARN={ROLE}read", *commands, *others]})
    mark = project.sandbox.mark()
    try:
        done = project.pipelines.merge_request("bakeline-plan", want=0)
    finally:
        project.configure()
    calls = project.sandbox.api(mark)
    refused = [call for call in calls if call["action"] == "AssumeRoleWithWebIdentity" and call["status"] == 403]
    assert {call["error"] for call in refused} == {"AccessDenied"}, done
    assert not project.succeeded_changes(mark), done
    assert project.callers(mark) == {"bakeline-gitlab-read"}
    assert project.catalog.images() == before


def test_jobs_that_change_something_need_the_protected_branch(project: Project) -> None:
    pipelines = project.pipelines
    values = {"BAKELINE_SCHEDULE": "release,prune,sweep", "CI_COMMIT_REF_PROTECTED": "true"}
    merge_request = pipelines.merge_request("--list", want=0, CI_COMMIT_BRANCH="main", **values)
    checks = {"bakeline-validate": "on_success", "bakeline-plan": "on_success"}
    assert pipelines.jobs(merge_request) == checks
    fork = pipelines.merge_request("--list", want=0, CI_MERGE_REQUEST_PROJECT_ID="99")
    assert set(pipelines.jobs(fork)) == {"bakeline-validate"}
    schedule = pipelines.main("schedule", "--list", want=0, **values)
    assert set(pipelines.jobs(schedule)) == {"bakeline-release", "bakeline-prune", "bakeline-sweep"}
    for changed in ({"CI_COMMIT_REF_PROTECTED": "false"}, {"CI_COMMIT_BRANCH": "feature"}):
        assert not pipelines.jobs(pipelines.main("schedule", "--list", want=0, **{**values, **changed}))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"catalog": 3}, ("catalog", "not a string")),
        ({"release_timeout": "9 days"}, ("release_timeout", "9 days", "list of allowed options")),
        ({"image": None}, ("image", "required value")),
        ({"prefix": ["a"]}, ("prefix", "not a string")),
    ],
)
def test_invalid_input_is_refused_with_its_name(
    project: Project, inputs: dict[str, Any], words: tuple[str, ...]
) -> None:
    project.configure(**inputs)
    if inputs == {"image": None}:
        text = (project.pipelines.at / ".gitlab-ci.yml").read_text().replace('"image": null, ', "")
        (project.pipelines.at / ".gitlab-ci.yml").write_text(text)
    try:
        done = project.pipelines.merge_request("--list")
    finally:
        project.configure()
    assert done.code != 0 and all(word in done.out + done.err for word in words), done


BAD: dict[str, list[str]] = {
    "version": ["", "1.0; rm", "latest:x", "$(id)"],
    "image": ["", "a b", "x`id`", 'x"'],
    "catalog": ["images", "../", "/srv/", "a/../b/", "./", 'a"/', "a b/"],
    "prefix": ["a b", "a.b", 'a"'],
    "read_role": [
        "read",
        "arn:aws:iam::1:role/x",
        "$A$B",
        'arn:aws:iam::123456789012:role/x"; id',
        "arn:aws:iam::123456789012:user/x",
    ],
    "audience": ["", 'https://x"', "a b"],
    "promote_to": ["", "Prod $(id)", '"', "-x"],
    "stage_check": ["", "a;b", 'x"'],
}
GOOD: dict[str, list[str]] = {
    "version": ["0.2.0", "1.0.0-rc.1"],
    "image": ["$CI_REGISTRY_IMAGE", "registry.example.com:5000/a/b"],
    "catalog": ["", "images/", "teams/base.images/"],
    "read_role": ["", "$BAKELINE_READ_ROLE", f"{ROLE}read", "arn:aws-us-gov:iam::123456789012:role/path/x"],
    "promote_to": ["Prod", "prod-eu.1"],
}


def test_patterns_of_inputs_refuse_invalid_values() -> None:
    """GitLab evaluates the patterns with RE2, which equals Python's `re` for the syntax that they use."""
    [header, _] = yaml.load_all(COMPONENT.read_text(), Loader=component_loader())
    inputs = header["spec"]["inputs"]
    for name, text in inputs.items():
        assert text["description"] and text["type"] == "string", name
        patterned = "regex" in text or "options" in text
        assert patterned and re.search(text.get("regex", ""), text.get("default", "x")), name
    for name in ("release_role", "promote_role", "prune_role"):
        assert inputs[name]["regex"] == inputs["read_role"]["regex"]
    for name, values in BAD.items():
        assert not [value for value in values if re.search(inputs[name]["regex"], value)], name
    for name, values in GOOD.items():
        assert all(re.search(inputs[name]["regex"], value) for value in values), name


def test_read_role_must_not_be_a_role_that_changes(project: Project) -> None:
    project.configure(read_role=f"{ROLE}prune")
    try:
        done = project.pipelines.merge_request("bakeline-plan")
    finally:
        project.configure()
    assert done.code != 0 and "read_role names a role that another input names" in done.out + done.err, done


def test_own_pipeline_uses_the_component(project: Project) -> None:
    """gitlab-ci-local does not expand variables in inputs, so the test does."""
    at, config = project.pipelines.at, (REPO / ".gitlab-ci.yml").read_text()
    for name in ("READ", "RELEASE", "PROMOTE", "PRUNE"):
        config = config.replace(f"$BAKELINE_{name}_ROLE", f"{ROLE}{name.lower()}")
    (at / "templates/gitlab").mkdir(parents=True)
    shutil.copy(COMPONENT, at / "templates/gitlab/template.yml")
    (at / ".gitlab-ci.yml").write_text(config)
    project.pipelines.git("add", "-A")
    try:
        listed = project.pipelines.jobs(project.pipelines.merge_request("--list", want=0))
        assert set(listed) == {"lint", "core", "test", "bakeline-validate", "bakeline-plan"}
        done = project.pipelines.main("schedule", "--list", BAKELINE_SCHEDULE="matrix", want=0)
        assert set(project.pipelines.jobs(done)) == {"matrix", "chaos", "faults"}
    finally:
        shutil.rmtree(at / "templates")
        project.configure()
