"""The inputs of the component for GitLab, and the pipeline of bakeline itself.

gitlab-ci-local evaluates types and options of inputs. Only GitLab itself evaluates the `regex` of an input, refuses unknown
inputs, and expands variables in inputs.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

import pytest
import yaml
from support.gitlab import Issuer, Pipelines
from support.gitlab_project import COMPONENT, ROLE, configure, create_pipelines
from support.run import REPO


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    pipelines = create_pipelines(tmp_path_factory.mktemp("inputs") / "repository", Issuer(), dict(os.environ))
    pipelines.commit()
    return pipelines


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
    pipelines: Pipelines, inputs: dict[str, Any], words: tuple[str, ...]
) -> None:
    configure(pipelines, **inputs)
    try:
        done = pipelines.merge_request("--list")
    finally:
        configure(pipelines)
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
    [header, _] = yaml.load_all(COMPONENT.read_text(), Loader=yaml.SafeLoader)
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


def test_own_pipeline_uses_the_component(pipelines: Pipelines) -> None:
    """gitlab-ci-local does not expand variables in inputs, so the test does."""
    at, config = pipelines.at, (REPO / ".gitlab-ci.yml").read_text()
    for name in ("READ", "RELEASE", "PROMOTE", "PRUNE"):
        config = config.replace(f"$BAKELINE_{name}_ROLE", f"{ROLE}{name.lower()}")
    (at / "templates/gitlab").mkdir(parents=True)
    shutil.copy(COMPONENT, at / "templates/gitlab/template.yml")
    (at / ".gitlab-ci.yml").write_text(config)
    pipelines.git("add", "-A")
    try:
        listed = pipelines.jobs(pipelines.merge_request("--list", want=0))
        own = {"lint", "core", "msrv", "lint-scripts", "deny", "advisories", "test"}
        assert set(listed) == own | {"bakeline-validate", "bakeline-plan"}
        done = pipelines.main("schedule", "--list", BAKELINE_SCHEDULE="matrix", want=0)
        assert set(pipelines.jobs(done)) == {"matrix", "chaos", "faults", "advisories"}
    finally:
        shutil.rmtree(at / "templates")
        configure(pipelines)
