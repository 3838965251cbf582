"""Two runs at once, a dead one, a suspended one: the lock of an environment lets one at a time change anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from judge.catalog import VENDOR, Catalog
from judge.inventory import cloud, difference
from judge.run import until
from judge.sandbox import Sandbox

LEASE = 6


@pytest.fixture
def catalog(box: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    box.reset()
    made = Catalog(box, tmp_path / "lock", "lock", lease=f"{LEASE}s")
    made.file("scripts/slow.sh", "echo the build is sleeping now\nsleep 12\n")
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    yield made


def begin(catalog: Catalog) -> subprocess.Popen[bytes]:
    """A release in the middle of its build."""
    started = catalog.start("release")

    def sleeping() -> bool:
        assert started.poll() is None, (catalog.at / "out.log").read_text()
        logs = [run / "slow/packer.log" for run in catalog.runs()]
        return any(log.exists() and "the build is sleeping now" in log.read_text(errors="replace") for log in logs)

    try:
        until(sleeping, 90, "a build that sleeps")
    except BaseException:
        started.kill()
        raise
    return started


def locks(catalog: Catalog, env: str = "Test") -> list[str]:
    return sorted(path.name for path in (catalog.at / f".bakeline/store/lock/locks/{env}").glob("*.json"))


def holder(catalog: Catalog, generation: int = 1) -> dict[str, object]:
    found = catalog.at / f".bakeline/store/lock/locks/Test/{generation:06}.json"
    return dict(json.loads(found.read_text()))


def test_of_two_releases_at_once_one_runs_and_the_other_is_told_who_holds_the_lock(
    box: Sandbox, catalog: Catalog
) -> None:
    first = begin(catalog)
    held = holder(catalog)
    assert held["pid"] == first.pid
    mark = box.mark()
    second = catalog.bakeline("release", want=7)
    for part in (held["run"], held["caller"], held["host"], str(held["pid"]), held["since"], "Test"):
        assert str(part) in second.err, (part, second)
    assert catalog.bakeline("promote", "slow", "--to", "Prod", want=7)
    assert not [one for one in catalog.runs() if one.name != held["run"]], "a refused run leaves no directory"
    assert catalog.bakeline("plan", want=0), "looking needs no lock"
    assert catalog.bakeline("list", want=0)
    assert not any(str(held["run"]) not in json.dumps(call) for call in box.api(mark) if call["action"] == "CreateTags")
    # It outlives its first lease by its signs of life.
    assert first.wait(timeout=120) == 0, (catalog.at / "out.log").read_text()
    names = locks(catalog)
    assert "000001-end.json" in names and "000001-000002.json" in names, names
    catalog.bakeline("promote", "slow", "--to", "Prod", want=0)
    assert "000002-end.json" in locks(catalog) and "000001-end.json" in locks(catalog, "Prod")


def test_a_killed_holder_is_taken_over_once_its_lease_is_over(box: Sandbox, catalog: Catalog) -> None:
    first = begin(catalog)
    held = holder(catalog)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=10)
    assert catalog.bakeline("release").code == 7, "it may be alive for all we know"
    time.sleep(LEASE)
    catalog.file("scripts/slow.sh", "echo quick\n")
    done = catalog.bakeline("release", want=0)
    assert "took over the lock of Test" in done.err and str(held["run"]) in done.err, done
    assert holder(catalog, 2)["run"] != held["run"]
    [ami] = [one for one in catalog.images() if one["ImageId"] == catalog.latest("slow")]
    assert ami["State"] == "available"


def test_a_suspended_holder_that_wakes_up_changes_nothing_and_exits_7(box: Sandbox, catalog: Catalog) -> None:
    first = begin(catalog)
    run = str(holder(catalog)["run"])
    os.kill(first.pid, signal.SIGSTOP)
    try:
        # Packer is a process of its own and comes to its end; the instance it built on is gone by then.
        def built() -> bool:
            return any(image["State"] == "available" and run in image["Name"] for image in named(box))

        until(built, 60, "the AMI of the suspended run's Packer")
        until(lambda: not running(box), 60, "Packer's instance gone", every=0.5)
        time.sleep(LEASE)
        catalog.file("scripts/slow.sh", "echo quick\n")
        second = catalog.bakeline("release", want=0)
        assert run in second.err and "took over" in second.err, second
        latest = catalog.latest("slow")
        before, mark = cloud(box), box.mark()
    finally:
        os.kill(first.pid, signal.SIGCONT)
    code = first.wait(timeout=60)
    said = (catalog.at / "out.log").read_text()
    assert code == 7, said
    assert box.changes(mark) == [], said
    assert cloud(box) == before, difference(before, cloud(box))
    assert catalog.latest("slow") == latest
    taker = str(holder(catalog, 2)["run"])
    assert taker in said and "not taken back" in said, said
    result = json.loads((catalog.at / f".bakeline/runs/{run}/result.json").read_text())
    assert result["images"][0]["status"] == "failed" and taker in result["images"][0]["failure"], result


def named(box: Sandbox) -> list[dict[str, object]]:
    found = box.client("ec2").describe_images(Owners=["self"])["Images"]
    return [dict(image) for image in found]


def running(box: Sandbox) -> list[str]:
    reservations = box.client("ec2").describe_instances()["Reservations"]
    alive = [one for r in reservations for one in r["Instances"] if one["State"]["Name"] != "terminated"]
    return [str(one["InstanceId"]) for one in alive]


@pytest.mark.parametrize("store", ["a file", "read only"])
def test_a_store_that_cannot_be_written_stops_it_before_anything_is_changed(
    box: Sandbox, catalog: Catalog, store: str
) -> None:
    if store == "a file":
        catalog.file(".bakeline/store", "not a folder\n")
    else:
        # Root writes everywhere but on procfs.
        settings = json.loads((catalog.at / "bakeline.yaml").read_text())
        catalog.file("bakeline.yaml", json.dumps({**settings, "store": {"path": "/proc/bakeline"}}))
    mark, before = box.mark(), cloud(box)
    done = catalog.bakeline("release", want=1)
    place, what = {
        "a file": (".bakeline/store", "Not a directory"),
        "read only": ("/proc/bakeline", "make it writable"),
    }[store]
    assert place in done.err and what in done.err, done
    assert box.changes(mark) == [] and cloud(box) == before
    assert not catalog.runs()


def test_a_store_of_a_newer_schema_is_refused(box: Sandbox, catalog: Catalog) -> None:
    shape = catalog.file(".bakeline/store/lock/schema.json", '{"schema": 2}')
    mark = box.mark()
    for words in (("release",), ("promote", "slow", "--to", "Prod"), ("prune", "--apply")):
        done = catalog.bakeline(*words, want=1)
        assert ".bakeline/store/lock/schema.json" in done.err and "newer bakeline" in done.err, done
    assert box.changes(mark) == []
    assert [path for path in shape.parent.rglob("*") if path.is_file()] == [shape], "nothing was written beside it"
