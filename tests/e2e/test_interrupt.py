"""Interrupted in the middle of a build: asked to stop, it cleans up and says so; killed, nothing goes on without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import Watcher, cloud, difference, everything, processes
from support.run import HANG, until
from support.running_release import WAIT, begin, below, held
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(box, tmp_path_factory.mktemp("halt"), "halt", lease="15s")
    made.file("scripts/slow.sh", WAIT)
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    yield made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_exits_130_and_leaves_the_world_as_it_was(
    box: Sandbox, catalog: Catalog, number: signal.Signals
) -> None:
    before = cloud(box)
    with Watcher(box) as watcher:
        started, _ = begin(catalog, "slow")
        children = below(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        started.send_signal(number)
        code = started.wait(timeout=HANG)
    said = (catalog.at / "out.log").read_text()
    assert code == 130, said
    assert "interrupt" in said.lower() or "cancel" in said.lower(), said
    assert cloud(box) == before, difference(before, cloud(box))
    watcher.saw_everything()
    assert not [one.argv for one in everything() if one.pid in {child.pid for child in children}]
    assert catalog.bakeline("latest", "slow", "--env", "Test").code == 6


def test_interrupt_while_the_ami_is_pending_leaves_nothing(box: Sandbox, catalog: Catalog) -> None:
    """Newer plugins tag the AMI in CreateImage and leave it to the caller; Packer 1.6.6 deregisters it."""
    before = cloud(box)
    catalog.file("scripts/slow.sh", "echo quick > /etc/quick\n")
    box.control("pending", {"seconds": HANG})
    started = catalog.start("release")
    pending = lambda: [ami for ami in box.client("ec2").describe_images(Owners=["self"])["Images"]]
    try:
        until(lambda: pending() or started.poll() is not None, HANG, "a pending AMI")
        assert [ami["State"] for ami in pending()] == ["pending"], (catalog.at / "out.log").read_text()
        started.send_signal(signal.SIGINT)
        code = started.wait(timeout=HANG)
    finally:
        box.control("pending", {"seconds": 0})
        catalog.file("scripts/slow.sh", WAIT)
    assert code == 130, (catalog.at / "out.log").read_text()
    assert cloud(box) == before, difference(before, cloud(box))


def test_killed_its_build_ends_with_it(box: Sandbox, catalog: Catalog) -> None:
    ec2 = box.client("ec2")
    before = {key: value for key, value in cloud(box).items() if key not in ("keys", "groups")}
    with Watcher(box) as watcher:
        started, _ = begin(catalog, "slow")
        children = below(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        os.kill(started.pid, signal.SIGKILL)
        started.wait(timeout=HANG)

        def ended() -> bool:
            left = {key: value for key, value in cloud(box).items() if key not in ("keys", "groups")}
            packers = [
                one for one in processes(box) if "packer" in one.argv[0] or "bakeline" in os.path.basename(one.argv[0])
            ]
            return not packers and left == before

        until(ended, HANG, "Packer, its children and its instance gone", every=0.5)
    watcher.saw_everything()
    for thing in ec2.describe_key_pairs()["KeyPairs"] + ec2.describe_security_groups()["SecurityGroups"]:
        if thing.get("GroupName") != "default":
            assert {"bakeline:run", "bakeline:expires"} <= tags(thing).keys(), thing
    assert not catalog.images()


def test_after_a_kill_the_next_release_goes_well(box: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/slow.sh", "echo quick > /etc/quick\n")
    until(lambda: not held(catalog), HANG, "the killed run's lock to expire", every=1)
    catalog.release()
    [ami] = catalog.images()
    assert catalog.latest("slow") == ami["ImageId"]
