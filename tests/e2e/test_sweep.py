"""After kill -9 of everything at seeded points a sweep brings the world back, and leaves a second, live run alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import Listing, cloud, difference
from support.run import HANG, until
from support.running_release import WAIT, begin, expire, go_on, kill, move_holder, new_run, packer_log
from support.sandbox import Sandbox

SEED = 20261122
# What a run of one image goes through: key, group, build, candidate, boot, check, terminate, drop-group, drop-key, release.
# Each step has two lines; Packer's own long step is cut at several places of its output.
LINES = [1, 3, 5, 6, 8, 9, 11, 13]
WORDS = ["Launching a source AWS instance", "Connected to SSH", "sleeping", "Creating AMI"]


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(box, tmp_path_factory.mktemp("swept"), "swept", lease="10m")
    made.file("scripts/app.sh", "set -eu\necho sleeping\nsleep 1\necho it > /etc/it\n")
    made.image("app", source=VENDOR, scripts=["scripts/app.sh"])
    yield made


def reached(run: Path, point: int | str) -> bool:
    """Whether a run has come to a line of its journal, or to some words in Packer's log."""
    if isinstance(point, int):
        journal = run / "journal.jsonl"
        return journal.exists() and len(journal.read_text().splitlines()) >= point
    return point in packer_log(run, "app")


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

    until(calm, HANG, "a world at rest", every=0.2)
    return cloud(box)


def still(box: Sandbox) -> Listing:
    """The same once a call that the dead had sent changes nothing any more."""
    found, before = settled(box), None
    while found != before:
        time.sleep(1)
        found, before = settled(box), found
    return found


def swept(catalog: Catalog, *words: str) -> list[dict[str, Any]]:
    found = json.loads(catalog.bakeline("sweep", "--json", *words, want=0).out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("point", points())
def test_killed_anywhere_the_sweep_brings_the_world_back(box: Sandbox, catalog: Catalog, point: int | str) -> None:
    before, runs = settled(box), set(catalog.runs())
    started = catalog.start("release", "--force")
    run = new_run(catalog, runs)
    until(lambda: reached(run, point) or started.poll() is not None, HANG, f"point {point}", every=0.02)
    assert started.poll() is None, (catalog.at / "out.log").read_text()
    kill(started)
    left = still(box)
    if point != 1:
        assert left != before, f"nothing was left at {point}, so nothing can be shown"
    move_holder(catalog)
    early = swept(catalog)
    assert not [one for one in early if one["remove"]], f"swept while the run may be alive: {early}"
    expire(catalog)
    assert settled(box) == left, "looking changes nothing"
    swept(catalog, "--apply")
    assert settled(box) == before, difference(before, settled(box))
    assert not [one for one in swept(catalog) if one["remove"]]


def test_a_live_run_keeps_everything_while_a_dead_ones_things_go(box: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/app.sh", f"set -eu\n{WAIT}echo other > /etc/it\n")
    dead, first = begin(catalog, "app", "--force")
    kill(dead)
    live, second = begin(catalog, "app", "--force")
    try:
        mine = owned(box, second.name)
        assert {"instance", "volume", "key", "group"} <= {kind for kind, _ in mine}, mine
        assert owned(box, first.name), "the dead run left nothing, so nothing can be shown"
        swept(catalog, "--apply")
        assert not owned(box, first.name)
        assert owned(box, second.name) == mine, "a live run's things were touched"
        assert live.poll() is None
        go_on(box, second, "app")
        assert live.wait(timeout=HANG) == 0, (catalog.at / "out.log").read_text()
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
