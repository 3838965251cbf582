"""Failing checks in the build or at boot: no new version, no leftovers, and the old version stays current."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.inventory import Listing, Watcher, describe_difference, list_cloud, list_host
from support.run import HANG, wait_until
from support.sandbox import Sandbox

SHARED_KINDS = ("namespaces", "links", "rules", "cgroups")
GOOD = "set -eu\necho good > /etc/judged\n"


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Returns a catalog with one released image."""
    made = Catalog(sandbox, tmp_path_factory.mktemp("gate"), "gate")
    write_image(made, GOOD, [])
    made.release()
    yield made


def write_image(catalog: Catalog, script: str, checks: list[dict[str, Any]]) -> None:
    catalog.file("scripts/app.sh", script)
    always = [{"command": "cat /etc/judged", "stdout": "good\n"}]
    catalog.image("app", source=VENDOR, scripts=["scripts/app.sh"], checks=always + checks)


@dataclass
class FailedRelease:
    """A failed release, with the inventory before and after."""

    watcher: Watcher
    before: Listing
    host_before: Listing
    result: dict[str, Any]
    mark: int


def fail_release(sandbox: Sandbox, catalog: Catalog) -> FailedRelease:
    before, mark = list_cloud(sandbox), sandbox.mark()
    # The id of the sandbox's links and namespaces shows only while an instance runs: take all, choose later.
    host_before = list_host(sandbox, "b")
    with Watcher(sandbox) as watcher:
        catalog.release(want=3)
        result = json.loads((catalog.run / "result.json").read_text())
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    [name] = watcher.ident if sandbox.status["backend"] == "nspawn" else [""]
    host_before = {
        kind: [line for line in lines if name in line or kind not in SHARED_KINDS]
        for kind, lines in host_before.items()
    }
    wait_until(
        lambda: list_host(sandbox, name) == host_before,
        HANG,
        f"the host as before, not {describe_difference(host_before, list_host(sandbox, name))}",
    )
    if name:
        assert host_before["links"] and host_before["rules"], "nothing of the sandbox's was seen on this host"
    watcher.assert_complete()
    return FailedRelease(watcher, before, host_before, result, mark)


def test_failing_build_check_exits_3_without_ami(sandbox: Sandbox, catalog: Catalog) -> None:
    first = catalog.latest("app")
    check = {"command": "cat /etc/answer", "stdout": "forty-two\n", "title": "The answer is right"}
    write_image(catalog, GOOD + "echo fifty-four > /etc/answer\n", [check])
    failed = fail_release(sandbox, catalog)
    said = catalog.last.err
    assert "cat /etc/answer" in said and "forty-two" in said and "fifty-four" in said, said
    assert not {"CreateImage", "RegisterImage"} & set(sandbox.changes(failed.mark)), "an AMI was made"
    assert "RunInstances" in sandbox.changes(failed.mark), "nothing was built"
    assert [ami["ImageId"] for ami in catalog.images()] == [first]
    assert catalog.latest("app") == first
    [image] = failed.result["images"]
    assert image["status"] == "failed" and not image.get("ami"), image
    evidence = (catalog.run / "app/checks-build.json").read_text()
    assert "forty-two" in evidence and "fifty-four" in evidence


def test_failing_boot_check_leaves_old_version_current(sandbox: Sandbox, catalog: Catalog) -> None:
    first = catalog.latest("app")
    [old] = catalog.images()
    assert current(old) == {"Test"} and tags(old)["bakeline:state"] == "released"
    # /run is emptied by a boot: the same check passes inside the build and fails on the finished image.
    check = {"file": "/run/only-in-the-build", "content": "here\n", "phase": ["build", "boot"]}
    write_image(catalog, GOOD + "echo here > /run/only-in-the-build\n", [check])
    failed = fail_release(sandbox, catalog)
    said = catalog.last.err
    assert "/run/only-in-the-build" in said and "expected" in said and "does not exist" in said, said
    assert "CreateImage" in sandbox.changes(failed.mark), "there never was a candidate"
    # Its snapshots go in the same call; that none is left is in the comparison of the whole inventory.
    assert "DeregisterImage" in sandbox.changes(failed.mark)
    built = json.loads((catalog.run / "app/checks-build.json").read_text())
    assert "/run/only-in-the-build" in json.dumps(built), "the check did not pass inside the build first"
    assert [(ami["ImageId"], tags(ami)) for ami in catalog.images()] == [(old["ImageId"], tags(old))]
    assert catalog.latest("app") == first
    pointer = sandbox.client("ssm").get_parameter(Name="/bakeline/gate/app/Test/x86_64")["Parameter"]
    assert (pointer["Value"], pointer["Version"]) == (first, 1)


def test_boot_phase_check_is_not_run_in_build(sandbox: Sandbox, catalog: Catalog) -> None:
    first = catalog.latest("app")
    check = {"command": "cat /etc/judged", "stdout": "better\n", "phase": ["boot"], "id": "boot-only"}
    # Another script too, so that it is built: a new control alone causes a recheck of the current version.
    write_image(catalog, GOOD + "true\n", [check])
    failed = fail_release(sandbox, catalog)
    said = catalog.last.err
    assert "boot-only" in said and "better" in said and "good" in said, said
    assert "boot-only" not in json.dumps(json.loads((catalog.run / "app/checks-build.json").read_text())["verdicts"])
    assert failed.result["images"][0]["status"] == "failed"
    assert catalog.latest("app") == first and len(catalog.images()) == 1


def test_child_must_pass_checks_of_parent(sandbox: Sandbox, catalog: Catalog) -> None:
    write_image(catalog, GOOD, [])
    catalog.file("scripts/worse.sh", "echo worse > /etc/judged\n")
    catalog.image("child", parent="app", scripts=["scripts/worse.sh"])
    with Watcher(sandbox) as watcher:
        results = catalog.release("child", want=3)
    assert results["child"]["status"] == "failed"
    assert "cat /etc/judged" in catalog.last.err and "worse" in catalog.last.err
    assert {tags(ami)["bakeline:image"] for ami in catalog.images()} == {"app"}
    watcher.assert_complete()


def test_promotion_refuses_failed_release(sandbox: Sandbox, tmp_path: Path) -> None:
    """A release that failed at boot had a candidate, which cannot be promoted."""
    catalog = Catalog(sandbox, tmp_path, "candidate")
    absent = {"file": "/etc/never", "phase": ["boot"]}
    catalog.image("base", source=VENDOR, checks=[absent])
    mark = sandbox.mark()
    catalog.release("base", want=3)
    assert "CreateImage" in sandbox.changes(mark), "there never was a candidate"
    assert_not_promotable(sandbox, catalog, "no version of `base` is current in `Test`; release it first")
    # The candidate that `--keep-failed` keeps cannot be promoted either.
    catalog.release("base", "--keep-failed", want=3)
    [kept] = catalog.images()
    assert tags(kept)["bakeline:state"] == "candidate"
    assert_not_promotable(sandbox, catalog, "release it first")


def assert_not_promotable(sandbox: Sandbox, catalog: Catalog, message: str) -> None:
    """Asserts that a promotion to Prod is refused with a message and changes nothing."""
    before, mark = list_cloud(sandbox), sandbox.mark()
    done = catalog.bakeline("promote", "base", "--to", "Prod", want=7)
    assert message in done.err, done
    assert sandbox.changes(mark) == [] and list_cloud(sandbox) == before, done
    assert catalog.bakeline("latest", "base", "--env", "Prod").code == 6
