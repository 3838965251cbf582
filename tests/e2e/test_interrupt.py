"""Releases that are interrupted during a build clean up. A killed release leaves no running build."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import GONE, Watcher, all_processes, describe_difference, list_cloud, processes
from support.run import HANG, wait_until
from support.running_release import WAIT, descendants, is_lock_held, kill_release, packer_log, start_release
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("halt"), "halt", lease="15s")
    made.file("scripts/slow.sh", WAIT)
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    yield made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_release_exits_130_and_cleans_up(
    sandbox: Sandbox, catalog: Catalog, number: signal.Signals
) -> None:
    before = list_cloud(sandbox)
    with Watcher(sandbox) as watcher:
        started, _ = start_release(catalog, "slow")
        children = descendants(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        started.send_signal(number)
        code = started.wait(timeout=HANG)
    said = (catalog.at / "out.log").read_text()
    assert code == 130, said
    assert "interrupt" in said.lower() or "cancel" in said.lower(), said
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    watcher.assert_complete()
    assert not [one.argv for one in all_processes() if one.pid in {child.pid for child in children}]
    assert catalog.bakeline("latest", "slow", "--env", "Test").code == 6


def is_packer_started(sandbox: Sandbox, release: int, _: str) -> bool:
    """Returns whether Packer builds and has not launched its instance."""
    builds = [one for one in descendants(release) if "packer" in one.argv[0] and "build" in one.argv]
    return bool(builds) and not instance_states(sandbox)


def instance_states(sandbox: Sandbox) -> list[str]:
    found = sandbox.client("ec2").describe_instances()["Reservations"]
    states = [one["State"]["Name"] for group in found for one in group["Instances"]]
    return [state for state in states if state not in GONE]


def ami_states(sandbox: Sandbox) -> list[str]:
    return [ami["State"] for ami in sandbox.client("ec2").describe_images(Owners=["self"])["Images"]]


def is_boot_check_running(sandbox: Sandbox, _: int, log: str) -> bool:
    return any(one.argv == SLOW_CHECK.split() for one in all_processes())


SLOW_CHECK = "sleep 4321"
# Conditions on the local EC2, the process of the release, and the log of Packer.
PHASES: dict[str, Callable[[Sandbox, int, str], bool]] = {
    "before the instance": is_packer_started,
    # The state `stopping` is too short to be observed. Packer prints the line before it calls StopInstances.
    "while the instance stops": lambda _, __, log: "Stopping the source instance" in log,
    # Newer plugins tag the AMI in CreateImage and do not deregister it. Packer 1.6.6 deregisters it.
    "while the AMI is pending": lambda sandbox, _, __: ami_states(sandbox) == ["pending"],
    "in the boot check": is_boot_check_running,
}


@pytest.mark.parametrize("phase", PHASES)
def test_interrupt_in_each_phase_leaves_nothing(sandbox: Sandbox, catalog: Catalog, phase: str) -> None:
    before = list_cloud(sandbox)
    catalog.file("scripts/slow.sh", f"echo '{phase}' > /etc/quick\n")
    slow_check = {"command": SLOW_CHECK, "timeout": 600, "phase": ["boot"]}
    catalog.image("slow", source=VENDOR, scripts=["scripts/slow.sh"], checks=[slow_check])
    sandbox.control("pending", {"seconds": HANG if phase == "while the AMI is pending" else 0})
    known = set(catalog.runs())
    started = catalog.start("release")

    def log() -> str:
        return "".join(packer_log(run, "slow") for run in catalog.runs() if run not in known)

    try:
        has_ended = lambda: started.poll() is not None
        wait_until(lambda: PHASES[phase](sandbox, started.pid, log()) or has_ended(), HANG, phase, every=0.02)
        assert not has_ended(), (catalog.at / "out.log").read_text()
        started.send_signal(signal.SIGINT)
        code = started.wait(timeout=HANG)
    finally:
        if started.poll() is None:
            kill_release(started)
        sandbox.control("pending", {"seconds": 0})
        catalog.file("scripts/slow.sh", WAIT)
        catalog.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    assert code == 130, (catalog.at / "out.log").read_text()
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert json.loads(catalog.bakeline("sweep", "--json", want=0).out) == []


def test_build_ends_with_killed_release(sandbox: Sandbox, catalog: Catalog) -> None:
    ec2 = sandbox.client("ec2")
    before = {key: value for key, value in list_cloud(sandbox).items() if key not in ("keys", "groups")}
    with Watcher(sandbox) as watcher:
        started, _ = start_release(catalog, "slow")
        children = descendants(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        os.kill(started.pid, signal.SIGKILL)
        started.wait(timeout=HANG)

        def has_ended() -> bool:
            left = {key: value for key, value in list_cloud(sandbox).items() if key not in ("keys", "groups")}
            packers = [
                one
                for one in processes(sandbox)
                if "packer" in one.argv[0] or "bakeline" in os.path.basename(one.argv[0])
            ]
            return not packers and left == before

        wait_until(has_ended, HANG, "Packer, its children and its instance gone", every=0.5)
    watcher.assert_complete()
    for thing in ec2.describe_key_pairs()["KeyPairs"] + ec2.describe_security_groups()["SecurityGroups"]:
        if thing.get("GroupName") != "default":
            assert {"bakeline:run", "bakeline:expires"} <= tags(thing).keys(), thing
    assert not catalog.images()


def test_release_after_kill_succeeds(sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/slow.sh", "echo quick > /etc/quick\n")
    wait_until(lambda: not is_lock_held(catalog), HANG, "the killed run's lock to expire", every=1)
    catalog.release()
    [ami] = catalog.images()
    assert catalog.latest("slow") == ami["ImageId"]
