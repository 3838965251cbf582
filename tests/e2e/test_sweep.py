"""Sweep cleans up after kill -9 at seeded points, and does not touch a second, live run."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import Listing, describe_difference, list_cloud
from support.run import HANG, wait_until
from support.running_release import (
    WAIT,
    expire_lease,
    kill_release,
    move_holder_to_other_machine,
    new_run,
    packer_log,
    resume_build,
    start_release,
)
from support.sandbox import Sandbox

SEED = 20261122
# Steps of a run with one image: key, group, build, candidate, boot, check, terminate, drop-group, drop-key, release.
# Each step has two lines; Packer's own long step is cut at several places of its output.
LINES = [1, 3, 5, 6, 8, 9, 11, 13]
WORDS = ["Launching a source AWS instance", "Connected to SSH", "sleeping", "Creating AMI"]


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("swept"), "swept", lease="10m")
    made.file("scripts/app.sh", "set -eu\necho sleeping\nsleep 1\necho it > /etc/it\n")
    made.image("app", source=VENDOR, scripts=["scripts/app.sh"])
    yield made


def has_reached(run: Path, point: int | str) -> bool:
    """Returns whether a run has reached a line of its journal, or a text in Packer's log."""
    if isinstance(point, int):
        journal = run / "journal.jsonl"
        return journal.exists() and len(journal.read_text().splitlines()) >= point
    return point in packer_log(run, "app")


def choose_points() -> list[int | str]:
    """Returns ten seeded points, including the four within Packer."""
    chosen: list[int | str] = [*WORDS, *random.Random(SEED).sample(LINES, 6)]
    return chosen


def settled_inventory(sandbox: Sandbox) -> Listing:
    """Returns the inventory after all instances are terminated and no AMI is pending."""

    def is_at_rest() -> bool:
        ec2 = sandbox.client("ec2")
        states = [i["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        pending = [ami for ami in ec2.describe_images(Owners=["self"])["Images"] if ami["State"] == "pending"]
        return not pending and not {"pending", "shutting-down", "stopping"} & set(states)

    wait_until(is_at_rest, HANG, "an inventory at rest", every=0.2)
    return list_cloud(sandbox)


def inventory_after_late_calls(sandbox: Sandbox) -> Listing:
    """Returns the inventory after late calls of the killed run have ended."""
    found, before = settled_inventory(sandbox), None
    while found != before:
        time.sleep(1)
        found, before = settled_inventory(sandbox), found
    return found


def sweep_findings(catalog: Catalog, *words: str) -> list[dict[str, Any]]:
    found = json.loads(catalog.bakeline("sweep", "--json", *words, want=0).out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("point", choose_points())
def test_sweep_cleans_up_after_kill_at_any_point(sandbox: Sandbox, catalog: Catalog, point: int | str) -> None:
    before, runs = settled_inventory(sandbox), set(catalog.runs())
    started = catalog.start("release", "--force")
    run = new_run(catalog, runs)
    wait_until(lambda: has_reached(run, point) or started.poll() is not None, HANG, f"point {point}", every=0.02)
    assert started.poll() is None, (catalog.at / "out.log").read_text()
    kill_release(started)
    left = inventory_after_late_calls(sandbox)
    if point != 1:
        assert left != before, f"nothing was left at {point}, so nothing can be shown"
    move_holder_to_other_machine(catalog)
    early = sweep_findings(catalog)
    assert not [one for one in early if one["remove"]], f"swept while the run may be alive: {early}"
    expire_lease(catalog)
    assert settled_inventory(sandbox) == left, "looking changes nothing"
    sweep_findings(catalog, "--apply")
    assert settled_inventory(sandbox) == before, describe_difference(before, settled_inventory(sandbox))
    assert not [one for one in sweep_findings(catalog) if one["remove"]]


def test_sweep_keeps_resources_of_live_run(sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/app.sh", f"set -eu\n{WAIT}echo other > /etc/it\n")
    dead, first = start_release(catalog, "app", "--force")
    kill_release(dead)
    live, second = start_release(catalog, "app", "--force")
    try:
        mine = owned_resources(sandbox, second.name)
        assert {"instance", "volume", "key", "group"} <= {kind for kind, _ in mine}, mine
        assert owned_resources(sandbox, first.name), "the dead run left nothing, so nothing can be shown"
        sweep_findings(catalog, "--apply")
        assert not owned_resources(sandbox, first.name)
        assert owned_resources(sandbox, second.name) == mine, "a live run's things were touched"
        assert live.poll() is None
        resume_build(sandbox, second, "app")
        assert live.wait(timeout=HANG) == 0, (catalog.at / "out.log").read_text()
    finally:
        if live.poll() is None:
            kill_release(live)
    [ami] = [one for one in catalog.images() if tags(one)["bakeline:run"] == second.name]
    assert catalog.latest("app") == ami["ImageId"]


def test_sweep_keeps_foreign_resources(sandbox: Sandbox, catalog: Catalog) -> None:
    ec2 = sandbox.client("ec2")
    old = f"{int(time.time()) - 3 * 86400:08x}"
    packers, mine = f"packer_{old}-1111-2222-3333-444455556666", "packer_but_by_hand"
    for name in (packers, mine, "bakeline-by-hand"):
        ec2.create_key_pair(KeyName=name)

    def names() -> set[str]:
        return {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]}

    assert {packers, mine, "bakeline-by-hand"} <= names()
    [seen] = sweep_findings(catalog, "--apply")
    assert (seen["thing"]["name"], seen["remove"]) == (packers, False)
    assert {packers, mine, "bakeline-by-hand"} <= names(), "another team's Packer may have made it"
    sweep_findings(catalog, "--apply", "--packer-leftovers")
    assert names() & {packers, mine, "bakeline-by-hand"} == {mine, "bakeline-by-hand"}
    for name in (mine, "bakeline-by-hand"):
        ec2.delete_key_pair(KeyName=name)


def owned_resources(sandbox: Sandbox, run: str) -> set[tuple[str, str]]:
    """Returns the existing resources that are tagged with a run ID."""
    ec2 = sandbox.client("ec2")
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
