"""A check that fails, in the build or only at boot: nothing new is found, nothing is left, and the old stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.inventory import Listing, Watcher, cloud, difference, host
from support.run import HANG, until
from support.sandbox import Sandbox

SHARED_KINDS = ("namespaces", "links", "rules", "cgroups")
GOOD = "set -eu\necho good > /etc/judged\n"


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One image, released well."""
    made = Catalog(box, tmp_path_factory.mktemp("gate"), "gate")
    write(made, GOOD, [])
    made.release()
    yield made


def write(catalog: Catalog, script: str, checks: list[dict[str, Any]]) -> None:
    catalog.file("scripts/app.sh", script)
    always = [{"command": "cat /etc/judged", "stdout": "good\n"}]
    catalog.image("app", source=VENDOR, scripts=["scripts/app.sh"], checks=always + checks)


@dataclass
class Failed:
    """A release that must fail, and the world around it."""

    watcher: Watcher
    before: Listing
    host_before: Listing
    result: dict[str, Any]
    mark: int


def fail(box: Sandbox, catalog: Catalog) -> Failed:
    before, mark = cloud(box), box.mark()
    # The id of the sandbox's links and namespaces shows only while an instance runs: take all, choose later.
    host_before = host(box, "b")
    with Watcher(box) as watcher:
        catalog.release(want=3)
        result = json.loads((catalog.run / "result.json").read_text())
    assert cloud(box) == before, difference(before, cloud(box))
    [name] = watcher.ident if box.status["backend"] == "nspawn" else [""]
    host_before = {
        kind: [line for line in lines if name in line or kind not in SHARED_KINDS]
        for kind, lines in host_before.items()
    }
    until(
        lambda: host(box, name) == host_before,
        HANG,
        f"the host as before, not {difference(host_before, host(box, name))}",
    )
    if name:
        assert host_before["links"] and host_before["rules"], "nothing of the sandbox's was seen on this host"
    watcher.saw_everything()
    return Failed(watcher, before, host_before, result, mark)


def test_a_failing_build_check_exits_3_names_it_and_makes_no_ami(box: Sandbox, catalog: Catalog) -> None:
    first = catalog.latest("app")
    check = {"command": "cat /etc/answer", "stdout": "forty-two\n", "title": "The answer is right"}
    write(catalog, GOOD + "echo fifty-four > /etc/answer\n", [check])
    failed = fail(box, catalog)
    said = catalog.last.err
    assert "cat /etc/answer" in said and "forty-two" in said and "fifty-four" in said, said
    assert not {"CreateImage", "RegisterImage"} & set(box.changes(failed.mark)), "an AMI was made"
    assert "RunInstances" in box.changes(failed.mark), "nothing was built"
    assert [ami["ImageId"] for ami in catalog.images()] == [first]
    assert catalog.latest("app") == first
    [image] = failed.result["images"]
    assert image["status"] == "failed" and not image.get("ami"), image
    evidence = (catalog.run / "app/checks-build.json").read_text()
    assert "forty-two" in evidence and "fifty-four" in evidence


def test_a_check_that_fails_only_at_boot_leaves_the_old_current_and_no_candidate(
    box: Sandbox, catalog: Catalog
) -> None:
    first = catalog.latest("app")
    [old] = catalog.images()
    assert current(old) == {"Test"} and tags(old)["bakeline:state"] == "released"
    # /run is emptied by a boot: the same check passes inside the build and fails on the finished image.
    check = {"file": "/run/only-in-the-build", "content": "here\n", "phase": ["build", "boot"]}
    write(catalog, GOOD + "echo here > /run/only-in-the-build\n", [check])
    failed = fail(box, catalog)
    said = catalog.last.err
    assert "/run/only-in-the-build" in said and "expected" in said and "does not exist" in said, said
    assert "CreateImage" in box.changes(failed.mark), "there never was a candidate"
    # Its snapshots go in the same call; that none is left is in the comparison of the whole inventory.
    assert "DeregisterImage" in box.changes(failed.mark)
    built = json.loads((catalog.run / "app/checks-build.json").read_text())
    assert "/run/only-in-the-build" in json.dumps(built), "the check did not pass inside the build first"
    assert [(ami["ImageId"], tags(ami)) for ami in catalog.images()] == [(old["ImageId"], tags(old))]
    assert catalog.latest("app") == first
    pointer = box.client("ssm").get_parameter(Name="/bakeline/gate/app/Test/x86_64")["Parameter"]
    assert (pointer["Value"], pointer["Version"]) == (first, 1)


def test_a_check_of_the_boot_phase_alone_is_not_judged_in_the_build(box: Sandbox, catalog: Catalog) -> None:
    first = catalog.latest("app")
    check = {"command": "cat /etc/judged", "stdout": "better\n", "phase": ["boot"], "id": "boot-only"}
    # Another script too, so that it is built: a new control alone is judged on a boot of what there is.
    write(catalog, GOOD + "true\n", [check])
    failed = fail(box, catalog)
    said = catalog.last.err
    assert "boot-only" in said and "better" in said and "good" in said, said
    assert "boot-only" not in json.dumps(json.loads((catalog.run / "app/checks-build.json").read_text())["verdicts"])
    assert failed.result["images"][0]["status"] == "failed"
    assert catalog.latest("app") == first and len(catalog.images()) == 1


def test_a_child_still_has_to_pass_its_parents_checks(box: Sandbox, catalog: Catalog) -> None:
    write(catalog, GOOD, [])
    catalog.file("scripts/worse.sh", "echo worse > /etc/judged\n")
    catalog.image("child", parent="app", scripts=["scripts/worse.sh"])
    with Watcher(box) as watcher:
        results = catalog.release("child", want=3)
    assert results["child"]["status"] == "failed"
    assert "cat /etc/judged" in catalog.last.err and "worse" in catalog.last.err
    assert {tags(ami)["bakeline:image"] for ami in catalog.images()} == {"app"}
    watcher.saw_everything()
