"""The pipelines of the component for GitLab, run by gitlab-ci-local on the local EC2, which enforces the roles and trust
policies that `bakeline permissions` prints.

gitlab-ci-local evaluates types and options of inputs, rules and scripts. Only GitLab itself evaluates the `regex` of an
input, refuses unknown inputs, expands variables in inputs, and enforces protected branches and environments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from junitparser import JUnitXml
from support.catalog import current, tags
from support.gitlab import NUMBER, PROJECT_ID, TOKEN, USER, Issuer, notes_server
from support.gitlab_project import ROLE, Project, configure, create_catalog, create_pipelines, create_roles
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def project(shared_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    shared_sandbox.reset()
    issuer, top = Issuer(), tmp_path_factory.mktemp("gitlab") / "repository"
    # Credentials of the runner, which no job may use.
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "AKIARUNNER")
    pipelines = create_pipelines(top, issuer, {**shared_sandbox.env, **keys})
    catalog = create_catalog(shared_sandbox, top / "images")
    create_roles(shared_sandbox, catalog, issuer)
    pipelines.commit()
    with notes_server() as notes:
        shared_sandbox.control("policies", {"enforce_roles": True})
        try:
            yield Project(shared_sandbox, catalog, pipelines, notes)
        finally:
            shared_sandbox.reset()


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
    artifacts = project.pipelines.at / ".gitlab-ci-local/artifacts/bakeline-release/images/.bakeline/runs"
    [junit] = artifacts.glob("*/*/checks-boot.junit.xml")
    assert JUnitXml.fromfile(str(junit)) is not None
    [packages] = artifacts.glob("*/*/packages-boot.cdx.json")
    assert json.loads(packages.read_text())["bomFormat"] == "CycloneDX"
    excluded = "*/*/check-*.request.json"
    assert list(project.file("runs").glob(excluded)) and not list(artifacts.glob(excluded))


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
    project.create_leftover()
    mark = project.sandbox.mark()
    done = project.pipelines.main("schedule", BAKELINE_SCHEDULE="prune,sweep", want=0)
    assert done.out.count("PASS") == 2 and project.callers(mark) == {"bakeline-gitlab-prune"}, done
    [ami] = project.catalog.images()
    assert ami["ImageId"] == released["ImageId"] and not project.leftover()


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
    done = project.catalog.bakeline(*words, env={**values, "BAKELINE_LOG": "trace"}, want=0)
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
    "bakeline revoke web $VERSION --apply",
    "bakeline doctor --apply",
    "bakeline prune --apply --keep 1",
    "bakeline sweep --apply",
)


def test_merge_request_cannot_change_anything(project: Project, released: dict[str, Any]) -> None:
    """The merge request changes its own pipeline: it runs other commands, and asks for the other roles."""
    project.create_leftover()
    before = project.catalog.images()
    version = tags(released)["bakeline:version"]
    commands = [f"{word.replace('$VERSION', version)} || echo command-failed" for word in HOSTILE]
    others = [
        f"AWS_ROLE_ARN={ROLE}{name} bakeline prune --apply --keep 1 || echo command-failed"
        for name in ("build", "promote", "prune")
    ]
    configure(project.pipelines, {"script": [f"export AWS_ROLE_ARN={ROLE}read", *commands, *others]})
    mark = project.sandbox.mark()
    try:
        done = project.pipelines.merge_request("bakeline-plan", want=0)
    finally:
        configure(project.pipelines)
    assert done.out.count("> command-failed") == len(commands) + len(others), done
    assert "`bakeline permissions --format trust` shows the trust policy" in done.out + done.err, done
    calls = project.sandbox.api(mark)
    refused = [call for call in calls if call["action"] == "AssumeRoleWithWebIdentity" and call["status"] == 403]
    assert {call["error"] for call in refused} == {"AccessDenied"}, done
    assert not project.succeeded_changes(mark), done
    assert project.callers(mark) == {"bakeline-gitlab-read"}
    assert project.catalog.images() == before and project.leftover()


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


def test_read_role_must_not_be_a_role_that_changes(project: Project) -> None:
    configure(project.pipelines, read_role=f"{ROLE}prune")
    try:
        done = project.pipelines.merge_request("bakeline-plan")
    finally:
        configure(project.pipelines)
    assert done.code != 0 and "read_role names a role that another input names" in done.out + done.err, done
