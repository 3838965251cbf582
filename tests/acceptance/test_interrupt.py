"""Interrupted in the middle of a build: asked to stop, it cleans up and says so; killed, nothing goes on without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from judge.catalog import VENDOR, Catalog, tags
from judge.inventory import Process, Watcher, cloud, difference, everything, processes
from judge.run import until
from judge.sandbox import Sandbox


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(box, tmp_path_factory.mktemp("halt"), "halt", lease="15s")
    made.file("scripts/slow.sh", "echo the build is sleeping now\nsleep 120\n")
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    yield made


def begin(catalog: Catalog) -> subprocess.Popen[bytes]:
    """A release in the middle of its build: Packer runs the sleeping script."""
    before = set(catalog.runs())
    started = catalog.start("release")

    def sleeping() -> bool:
        assert started.poll() is None, (catalog.at / "out.log").read_text()
        logs = [run / "slow/packer.log" for run in catalog.runs() if run not in before]
        return any(log.exists() and "the build is sleeping now" in log.read_text(errors="replace") for log in logs)

    try:
        until(sleeping, 90, "a build that sleeps")
    except BaseException:
        started.kill()
        raise
    return started


def offspring(of: int) -> list[Process]:
    """The processes below one, and those of its session whose parent is gone."""
    all_of_them = everything()
    family = {of}
    while True:
        more = {one.pid for one in all_of_them if one.parent in family} - family
        if not more:
            return [one for one in all_of_them if one.pid in family and one.pid != of]
        family |= more


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_exits_130_and_leaves_the_world_as_it_was(
    box: Sandbox, catalog: Catalog, number: signal.Signals
) -> None:
    before = cloud(box)
    with Watcher(box) as watcher:
        started = begin(catalog)
        children = offspring(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        begun = time.monotonic()
        started.send_signal(number)
        code = started.wait(timeout=60)
    said = (catalog.at / "out.log").read_text()
    assert code == 130, said
    assert time.monotonic() - begun < 45
    assert "interrupt" in said.lower() or "cancel" in said.lower(), said
    assert cloud(box) == before, difference(before, cloud(box))
    watcher.saw_everything()
    assert not [one.argv for one in everything() if one.pid in {child.pid for child in children}]
    assert catalog.bakeline("latest", "slow", "--env", "Test").code == 6


def test_killed_its_build_ends_with_it(box: Sandbox, catalog: Catalog) -> None:
    ec2 = box.client("ec2")
    before = {key: value for key, value in cloud(box).items() if key not in ("keys", "groups")}
    with Watcher(box) as watcher:
        started = begin(catalog)
        children = offspring(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        os.kill(started.pid, signal.SIGKILL)
        started.wait(timeout=10)

        def ended() -> bool:
            left = {key: value for key, value in cloud(box).items() if key not in ("keys", "groups")}
            packers = [
                one for one in processes(box) if "packer" in one.argv[0] or "bakeline" in os.path.basename(one.argv[0])
            ]
            return not packers and left == before

        until(ended, 60, "Packer, its children and its instance gone", every=0.5)
    watcher.saw_everything()
    for thing in ec2.describe_key_pairs()["KeyPairs"] + ec2.describe_security_groups()["SecurityGroups"]:
        if thing.get("GroupName") != "default":
            assert {"bakeline:run", "bakeline:expires"} <= tags(thing).keys(), thing
    assert not catalog.images()


def held(catalog: Catalog) -> bool:
    """Whether the latest generation of the lock, or its last sign of life, has not expired."""
    found = sorted((catalog.at / ".bakeline/store/halt/locks/Test").glob("*.json"))
    if not found or found[-1].name.endswith("-end.json"):
        return False
    last = max(json.loads(one.read_text()).get("expires", "") for one in found)
    return last > datetime.now(UTC).isoformat()


def test_after_a_kill_the_next_release_goes_well(box: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/slow.sh", "echo quick > /etc/quick\n")
    until(lambda: not held(catalog), 20, "the killed run's lock to expire", every=1)
    catalog.release()
    [ami] = catalog.images()
    assert catalog.latest("slow") == ami["ImageId"]
