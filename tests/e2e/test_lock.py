"""Concurrent, dead and suspended runs: the lock of an environment lets one run at a time change anything."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.inventory import describe_difference, list_cloud
from support.run import HANG, wait_until
from support.running_release import (
    WAIT,
    is_lock_held,
    lock_objects,
    move_holder_to_other_machine,
    resume_build,
    start_release,
)
from support.sandbox import Sandbox

LEASE = 15
CHANGES = (
    "CreateTags",
    "PutParameter",
    "DeregisterImage",
    "TerminateInstances",
    "DeleteKeyPair",
    "DeleteSecurityGroup",
)


def is_by_bakeline(call: dict[str, object]) -> bool:
    """Returns whether bakeline made a call itself, not Packer."""
    return "app/bakeline" in str(call["user_agent"])


def create_catalog(sandbox: Sandbox, at: Path, lease: str) -> Catalog:
    sandbox.reset()
    made = Catalog(sandbox, at, "lock", lease=lease)
    made.file("scripts/slow.sh", WAIT)
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    return made


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Catalog:
    return create_catalog(sandbox, tmp_path / "lock", f"{LEASE}s")


def names_of(catalog: Catalog, env: str = "Test") -> list[str]:
    return [one.name for one in lock_objects(catalog, env)]


def lock_holder(catalog: Catalog, generation: int = 1) -> dict[str, object]:
    found = catalog.at / f".bakeline/store/lock/locks/Test/{generation:06}.json"
    return dict(json.loads(found.read_text()))


def test_second_release_names_the_lock_holder(sandbox: Sandbox, catalog: Catalog) -> None:
    first, run = start_release(catalog, "slow")
    holds = lock_holder(catalog)
    assert holds["pid"] == first.pid
    mark = sandbox.mark()
    second = catalog.bakeline("release", want=7)
    for part in (holds["run"], holds["caller"], holds["host"], str(holds["pid"]), holds["since"], "Test"):
        assert str(part) in second.err, (part, second)
    assert catalog.bakeline("promote", "slow", "--to", "Prod", want=7)
    assert not [one for one in catalog.runs() if one != run], "a refused run leaves no directory"
    assert catalog.bakeline("plan", want=0), "looking needs no lock"
    assert catalog.bakeline("list", want=0)
    assert not any(run.name not in json.dumps(call) for call in sandbox.api(mark) if call["action"] == "CreateTags")
    # It outlives its first lease by renewals.
    wait_until(lambda: datetime.now(UTC) > datetime.fromisoformat(str(holds["expires"])), HANG, "the first lease's end")
    assert is_lock_held(catalog)
    resume_build(sandbox, run, "slow")
    assert first.wait(timeout=HANG) == 0, (catalog.at / "out.log").read_text()
    names = names_of(catalog)
    assert "000001-end.json" in names and "000001-000002.json" in names, names
    catalog.bakeline("promote", "slow", "--to", "Prod", want=0)
    assert "000002-end.json" in names_of(catalog) and "000001-end.json" in names_of(catalog, "Prod")


def kill_lock_holder(catalog: Catalog) -> Path:
    """The directory of a release that was killed while it held the lock."""
    first, run = start_release(catalog, "slow")
    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=HANG)
    assert is_lock_held(catalog), "its lease goes on"
    return run


def test_lock_of_a_killed_run_is_taken_over_immediately(catalog: Catalog) -> None:
    run = kill_lock_holder(catalog)
    catalog.file("scripts/slow.sh", "echo quick\n")
    done = catalog.bakeline("release", want=0)
    assert "took over the lock of Test" in done.err and "whose process has ended" in done.err, done
    assert run.name in done.err and lock_holder(catalog, 2)["run"] != run.name
    [ami] = [one for one in catalog.images() if one["ImageId"] == catalog.latest("slow")]
    assert ami["State"] == "available"


def test_lock_of_a_run_on_another_machine_is_taken_over_after_its_lease(catalog: Catalog) -> None:
    run = kill_lock_holder(catalog)
    move_holder_to_other_machine(catalog)
    assert catalog.bakeline("release").code == 7, "it may be alive"
    wait_until(lambda: not is_lock_held(catalog), HANG, "the end of its lease")
    catalog.file("scripts/slow.sh", "echo quick\n")
    done = catalog.bakeline("release", want=0)
    assert "took over the lock of Test" in done.err and run.name in done.err, done


def test_unlock_releases_live_holder_only_with_force(catalog: Catalog) -> None:
    assert "free" in catalog.bakeline("unlock", want=0).words
    first, run = start_release(catalog, "slow")
    refused = catalog.bakeline("unlock", "--env", "Test", want=7)
    assert run.name in refused.words and str(first.pid) in refused.words and "--force" in refused.err, refused
    assert "000001-end.json" not in names_of(catalog)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=HANG)
    shown = json.loads(catalog.bakeline("unlock", "--json", want=0).out)
    assert [(row["environment"], row["state"], row["released"]) for row in shown] == [
        ("Test", "dead", True),
        ("Prod", "free", False),
    ]
    assert shown[0]["holder"]["run"] == run.name and "000001-end.json" in names_of(catalog)
    catalog.bakeline("unlock", "--env", "Moon", want=1)


def force_unlock(catalog: Catalog) -> None:
    move_holder_to_other_machine(catalog)
    catalog.bakeline("unlock", want=7)
    catalog.bakeline("unlock", "--force", want=0)


def test_forced_unlock_stops_a_live_run_at_its_next_renewal(sandbox: Sandbox, catalog: Catalog) -> None:
    first, run = start_release(catalog, "slow")
    force_unlock(catalog)
    # The build waits for something that never comes.
    assert first.wait(timeout=HANG) == 7
    said = (catalog.at / "out.log").read_text()
    assert "released by another process" in said, said
    assert not [image for image in named_images(sandbox) if run.name in str(image["Name"])]


def test_forced_unlock_stops_a_live_run_before_its_next_change(sandbox: Sandbox, tmp_path: Path) -> None:
    # The first renewal would be after 40 minutes.
    catalog = create_catalog(sandbox, tmp_path / "lock", "2h")
    first, run = start_release(catalog, "slow")
    force_unlock(catalog)
    mark = sandbox.mark()
    resume_build(sandbox, run, "slow")
    assert first.wait(timeout=HANG) == 7
    said = (catalog.at / "out.log").read_text()
    assert "released by another process" in said, said
    [image] = [image for image in named_images(sandbox) if run.name in str(image["Name"])]
    assert image["State"] == "available", "Packer was not interrupted"
    own = [call["action"] for call in sandbox.api() if call["action"] in CHANGES and is_by_bakeline(call)]
    after = [call["action"] for call in sandbox.api(mark) if call["action"] in CHANGES and is_by_bakeline(call)]
    assert own != [] and after == [] and "cleaned up" not in said.replace("not cleaned up", ""), said


def test_emptied_store_never_gives_the_lock_to_two_runs(sandbox: Sandbox, catalog: Catalog) -> None:
    first, run = start_release(catalog, "slow")
    shutil.rmtree(catalog.at / ".bakeline/store")
    second, other = start_release(catalog, "slow")
    assert lock_holder(catalog)["run"] == other.name, "the same generation, another run"
    assert first.wait(timeout=HANG) == 7
    named = [image for image in named_images(sandbox) if run.name in str(image["Name"])]
    assert named == [], "the first run stopped before it made an AMI"
    assert "000001-end.json" not in names_of(catalog), "the lock is still the second run's"
    resume_build(sandbox, other, "slow")
    assert second.wait(timeout=HANG) == 0, (catalog.at / "out.log").read_text()
    assert other.name in str(
        [image["Name"] for image in named_images(sandbox) if image["ImageId"] == catalog.latest("slow")]
    )


def test_suspended_holder_changes_nothing_and_exits_7(sandbox: Sandbox, catalog: Catalog) -> None:
    first, directory = start_release(catalog, "slow")
    run = directory.name
    os.kill(first.pid, signal.SIGSTOP)
    try:
        resume_build(sandbox, directory, "slow")

        # Packer is a process of its own and comes to its end; the instance it built on is gone by then.
        def is_built() -> bool:
            return any(image["State"] == "available" and run in image["Name"] for image in named_images(sandbox))

        wait_until(is_built, HANG, "the AMI of the suspended run's Packer")
        wait_until(lambda: not running_instances(sandbox), HANG, "Packer's instance gone", every=0.5)
        wait_until(lambda: not is_lock_held(catalog), HANG, "the end of its lease")
        catalog.file("scripts/slow.sh", "echo quick\n")
        second = catalog.bakeline("release", want=0)
        assert run in second.err and "took over" in second.err, second
        latest = catalog.latest("slow")
        before, mark = list_cloud(sandbox), sandbox.mark()
    finally:
        os.kill(first.pid, signal.SIGCONT)
    code = first.wait(timeout=HANG)
    said = (catalog.at / "out.log").read_text()
    assert code == 7, said
    assert sandbox.changes(mark) == [], said
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert catalog.latest("slow") == latest
    taker = str(lock_holder(catalog, 2)["run"])
    assert taker in said and "not undone" in said, said
    result = json.loads((catalog.at / f".bakeline/runs/{run}/result.json").read_text())
    assert result["images"][0]["status"] == "failed" and taker in result["images"][0]["failure"], result


def named_images(sandbox: Sandbox) -> list[dict[str, object]]:
    found = sandbox.client("ec2").describe_images(Owners=["self"])["Images"]
    return [dict(image) for image in found]


def running_instances(sandbox: Sandbox) -> list[str]:
    reservations = sandbox.client("ec2").describe_instances()["Reservations"]
    alive = [one for r in reservations for one in r["Instances"] if one["State"]["Name"] != "terminated"]
    return [str(one["InstanceId"]) for one in alive]


@pytest.mark.parametrize("store", ["a file", "read only"])
def test_unwritable_store_stops_before_any_change(sandbox: Sandbox, catalog: Catalog, store: str) -> None:
    if store == "a file":
        catalog.file(".bakeline/store", "not a folder\n")
    else:
        # Root writes everywhere but on procfs.
        settings = json.loads((catalog.at / "bakeline.yaml").read_text())
        catalog.file("bakeline.yaml", json.dumps({**settings, "store": {"path": "/proc/bakeline"}}))
    mark, before = sandbox.mark(), list_cloud(sandbox)
    done = catalog.bakeline("release", want=1)
    place, what = {
        "a file": (".bakeline/store", "Not a directory"),
        "read only": ("/proc/bakeline", "make it writable"),
    }[store]
    assert place in done.err and what in done.err, done
    assert sandbox.changes(mark) == [] and list_cloud(sandbox) == before
    assert not catalog.runs()


def test_store_with_newer_schema_is_refused(sandbox: Sandbox, catalog: Catalog) -> None:
    shape = catalog.file(".bakeline/store/lock/schema.json", '{"schema": 2}')
    mark = sandbox.mark()
    for words in (("release",), ("promote", "slow", "--to", "Prod"), ("prune", "--apply")):
        done = catalog.bakeline(*words, want=1)
        assert ".bakeline/store/lock/schema.json" in done.err and "newer version of bakeline" in done.err, done
    assert sandbox.changes(mark) == []
    assert [path for path in shape.parent.rglob("*") if path.is_file()] == [shape], "something was written next to it"
