"""After kill -9 of everything at seeded points a sweep brings the world back, and leaves a second, live run alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judge.catalog import VENDOR, Catalog, tags
from judge.inventory import Listing, cloud, difference, everything
from judge.run import until
from judge.sandbox import Sandbox

LEASE = 4
SEED = 20261122
# What a run of one image goes through: key, group, build, candidate, boot, check, terminate, drop-group, drop-key, release.
# Each step has two lines; Packer's own long step is cut at several places of its output.
LINES = [1, 3, 5, 6, 8, 9, 11, 13]
WORDS = ["Launching a source AWS instance", "Connected to SSH", "sleeping", "Creating AMI"]


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(box, tmp_path_factory.mktemp("swept"), "swept", lease=f"{LEASE}s")
    made.file("scripts/app.sh", "set -eu\necho sleeping\nsleep 1\necho it > /etc/it\n")
    made.image("app", source=VENDOR, scripts=["scripts/app.sh"])
    yield made


def family(of: int) -> list[int]:
    """A process and all below it."""
    found, mine = everything(), {of}
    while more := {one.pid for one in found if one.parent in mine} - mine:
        mine |= more
    return sorted(mine)


def kill(started: subprocess.Popen[bytes]) -> None:
    """End bakeline, its supervisor and Packer at once, so that nobody cleans up."""
    pids = family(started.pid)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            continue
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    started.wait(timeout=10)


def new_run(catalog: Catalog, before: set[Path]) -> Path:
    return until(lambda: next((run for run in catalog.runs() if run not in before), None), 30, "a run directory")


def reached(run: Path, point: int | str) -> bool:
    """Whether a run has come to a line of its journal, or to some words in Packer's log."""
    if isinstance(point, int):
        journal = run / "journal.jsonl"
        return journal.exists() and len(journal.read_text().splitlines()) >= point
    log = run / "app/packer.log"
    return log.exists() and point in log.read_text(errors="replace")


def points() -> list[int | str]:
    """Ten seeded points, the four within Packer always among them."""
    chosen: list[int | str] = [*WORDS, *random.Random(SEED).sample(LINES, 6)]
    return chosen


def settled(box: Sandbox) -> Listing:
    """The inventory once no instance is on its way out and no AMI is being made."""

    def calm() -> bool:
        ec2 = box.client("ec2")
        states = [i["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        pending = [ami for ami in ec2.describe_images(Owners=["self"])["Images"] if ami["State"] == "pending"]
        return not pending and not {"pending", "shutting-down", "stopping"} & set(states)

    until(calm, 60, "a world at rest", every=0.2)
    return cloud(box)


def swept(catalog: Catalog, *words: str) -> list[dict[str, Any]]:
    found = json.loads(catalog.bakeline("sweep", "--json", *words, want=0).out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("point", points())
def test_killed_anywhere_the_sweep_brings_the_world_back(box: Sandbox, catalog: Catalog, point: int | str) -> None:
    before, runs = settled(box), set(catalog.runs())
    started = catalog.start("release", "--force")
    run = new_run(catalog, runs)
    until(lambda: reached(run, point) or started.poll() is not None, 90, f"point {point}", every=0.02)
    assert started.poll() is None, (catalog.at / "out.log").read_text()
    kill(started)
    left = settled(box)
    if point != 1:
        assert left != before, f"nothing was left at {point}, so nothing can be shown"
    dead = time.monotonic()
    early = swept(catalog)
    if time.monotonic() - dead < LEASE / 2:
        assert not [one for one in early if one["remove"]], f"swept while its lock had not expired: {early}"
    time.sleep(LEASE + 1)
    assert settled(box) == left, "looking changes nothing"
    swept(catalog, "--apply")
    assert settled(box) == before, difference(before, settled(box))
    assert not [one for one in swept(catalog) if one["remove"]]


def test_a_live_run_keeps_everything_while_a_dead_ones_things_go(box: Sandbox, catalog: Catalog) -> None:
    runs = set(catalog.runs())
    dead = catalog.start("release", "--force")
    first = new_run(catalog, runs)
    until(lambda: reached(first, "sleeping"), 90, "the first build")
    kill(dead)
    time.sleep(LEASE + 1)
    runs = set(catalog.runs())
    catalog.file("scripts/app.sh", "set -eu\necho sleeping\nsleep 12\necho other > /etc/it\n")
    live = catalog.start("release", "--force")
    second = new_run(catalog, runs)
    try:
        until(lambda: reached(second, "sleeping"), 90, "the second build")
        mine = owned(box, second.name)
        assert {"instance", "volume", "key", "group"} <= {kind for kind, _ in mine}, mine
        assert owned(box, first.name), "the dead run left nothing, so nothing can be shown"
        swept(catalog, "--apply")
        assert not owned(box, first.name)
        assert owned(box, second.name) == mine, "a live run's things were touched"
        assert live.poll() is None
        assert live.wait(timeout=90) == 0, (catalog.at / "out.log").read_text()
    finally:
        if live.poll() is None:
            kill(live)
    [ami] = [one for one in catalog.images() if tags(one)["bakeline:run"] == second.name]
    assert catalog.latest("app") == ami["ImageId"]


def test_what_bakeline_did_not_make_stays(box: Sandbox, catalog: Catalog) -> None:
    ec2 = box.client("ec2")
    old = f"{int(time.time()) - 3 * 86400:08x}"
    packers, mine = f"packer_{old}-1111-2222-3333-444455556666", "packer_but_by_hand"
    for name in (packers, mine, "bakeline-by-hand"):
        ec2.create_key_pair(KeyName=name)

    def names() -> set[str]:
        return {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]}

    assert {packers, mine, "bakeline-by-hand"} <= names()
    [seen] = swept(catalog, "--apply")
    assert (seen["thing"]["name"], seen["remove"]) == (packers, False)
    assert {packers, mine, "bakeline-by-hand"} <= names(), "another team's Packer may have made it"
    swept(catalog, "--apply", "--packer-leftovers")
    assert names() & {packers, mine, "bakeline-by-hand"} == {mine, "bakeline-by-hand"}
    for name in (mine, "bakeline-by-hand"):
        ec2.delete_key_pair(KeyName=name)


def owned(box: Sandbox, run: str) -> set[tuple[str, str]]:
    """What carries a run's id and lives."""
    ec2 = box.client("ec2")
    only = [{"Name": "tag:bakeline:run", "Values": [run]}]
    instances = [i for r in ec2.describe_instances(Filters=only)["Reservations"] for i in r["Instances"]]
    return {
        *(
            ("instance", i["InstanceId"])
            for i in instances
            if i["State"]["Name"] not in ("terminated", "shutting-down")
        ),
        *(("volume", v["VolumeId"]) for v in ec2.describe_volumes(Filters=only)["Volumes"]),
        *(("key", k["KeyPairId"]) for k in ec2.describe_key_pairs(Filters=only)["KeyPairs"]),
        *(("group", g["GroupId"]) for g in ec2.describe_security_groups(Filters=only)["SecurityGroups"]),
    }
