"""The jobs of the project's own pipelines, listed by gitlab-ci-local: only a tag publishes a release."""

from __future__ import annotations

import os
import shutil

import pytest
from support.gitlab import Issuer, Pipelines, install_gitlab_ci_local
from support.run import REPO

CHANGE = {"lint", "core", "msrv", "lint-scripts", "deny", "advisories", "test"}


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    at = tmp_path_factory.mktemp("own") / "repository"
    pipelines = Pipelines(install_gitlab_ci_local(), at, Issuer(), os.environ)
    shutil.copy2(REPO / ".gitlab-ci.yml", at)
    shutil.copytree(REPO / "templates/gitlab", at / "templates/gitlab")
    pipelines.commit()
    return pipelines


def jobs(pipelines: Pipelines, source: str, **variables: str) -> set[str]:
    return set(pipelines.jobs(pipelines.main(source, "--list", want=0, **variables)))


def jobs_of_tag(pipelines: Pipelines, is_protected: str) -> set[str]:
    values = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "0.2.0", "CI_COMMIT_REF_PROTECTED": is_protected}
    done = pipelines.run("--list", "--unset-variable", "CI_COMMIT_BRANCH", branch="main", want=0, **values)
    return set(pipelines.jobs(done))


def test_merge_request_and_push_test_the_change(pipelines: Pipelines) -> None:
    merge_request = set(pipelines.jobs(pipelines.merge_request("--list", want=0)))
    assert CHANGE <= merge_request and "dist" not in merge_request and "publish" not in merge_request
    push = jobs(pipelines, "push")
    assert CHANGE <= push and "dist" not in push and "publish" not in push


def test_only_a_protected_tag_publishes(pipelines: Pipelines) -> None:
    assert jobs_of_tag(pipelines, "true") >= CHANGE | {"dist", "publish"}
    assert jobs_of_tag(pipelines, "false") >= CHANGE | {"dist"}
    assert "publish" not in jobs_of_tag(pipelines, "false")


def test_schedule_of_the_matrix_runs_the_full_products(pipelines: Pipelines) -> None:
    found = jobs(pipelines, "schedule", BAKELINE_SCHEDULE="matrix")
    assert found == {"matrix", "chaos", "faults", "advisories"}
