"""Releases that are interrupted during a build clean up. A killed release leaves no running build."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import GONE, Process, Watcher, all_processes, describe_difference, list_cloud, processes
from support.run import HANG, wait_until
from support.running_release import WAIT, WAITING, descendants, is_lock_held, kill_release, packer_log, start_release
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("halt"), "halt", lease="15s")
    made.file("scripts/slow.sh", WAIT)
    made.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    yield made


def test_terminated_release_exits_130_and_cleans_up(sandbox: Sandbox, catalog: Catalog) -> None:
    before = list_cloud(sandbox)
    with Watcher(sandbox) as watcher:
        started, _ = start_release(catalog, "slow")
        children = descendants(started.pid)
        assert [one for one in children if "packer" in one.argv[0]], [one.argv for one in children]
        started.send_signal(signal.SIGTERM)
        code = started.wait(timeout=HANG)
    said = (catalog.at / "out.log").read_text()
    assert code == 130, said
    assert "interrupt" in said.lower() or "cancel" in said.lower(), said
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    watcher.assert_complete()
    assert not running(children)
    assert catalog.bakeline("latest", "slow", "--env", "Test").code == 6


def running(processes: list[Process]) -> list[list[str]]:
    """Returns the command lines of those processes that have not ended."""
    pids = {one.pid for one in processes}
    return [one.argv for one in all_processes() if one.pid in pids]


def is_packer_started(sandbox: Sandbox, release: int, _: str) -> bool:
    """Returns whether Packer builds. The test asserts that no instance was launched."""
    return any("packer" in one.argv[0] and "build" in one.argv for one in descendants(release))


def instance_states(sandbox: Sandbox) -> list[str]:
    found = sandbox.client("ec2").describe_instances()["Reservations"]
    states = [one["State"]["Name"] for group in found for one in group["Instances"]]
    return [state for state in states if state not in GONE]


def ami_states(sandbox: Sandbox) -> list[str]:
    return [ami["State"] for ami in sandbox.client("ec2").describe_images(Owners=["self"])["Images"]]


def is_run_instances_delayed(sandbox: Sandbox, _: int, log: str) -> bool:
    return any(call["action"] == "RunInstances" for call in sandbox.control("faults")["held"])


def is_boot_check_running(sandbox: Sandbox, _: int, log: str) -> bool:
    return any(one.argv == SLOW_CHECK.split() for one in all_processes())


SLOW_CHECK = "sleep 4321"
# A unit that delays the shutdown, so that the state `stopping` can be observed.
SLOW_STOP = """set -eu
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\nExecStop=sleep 15\\n' > /run/systemd/system/slow.service
systemctl daemon-reload
systemctl start slow.service
"""


@dataclass(frozen=True)
class Phase:
    """A part of a release, detected by the local EC2, the processes of this host, or the log of Packer."""

    is_reached: Callable[[Sandbox, int, str], bool]
    last: str
    """The last of `ORDER` that has been called when the phase is over."""
    script: str = ""
    delayed: str = ""
    """A call that is delayed until the signal is sent."""


# Changes of a release in their order.
ORDER = ["CreateKeyPair", "RunInstances", "StopInstances", "CreateImage"]
PHASES = {
    "before the instance": Phase(is_packer_started, "CreateKeyPair"),
    "during RunInstances": Phase(is_run_instances_delayed, "RunInstances", delayed="RunInstances"),
    # The state `pending` is too short to be observed.
    "while the instance starts": Phase(lambda _, __, log: "Waiting for instance" in log, "RunInstances"),
    "in a provisioner": Phase(lambda _, __, log: WAITING in log, "RunInstances", WAIT),
    "while the instance stops": Phase(
        lambda sandbox, _, __: instance_states(sandbox) == ["stopping"], "StopInstances", SLOW_STOP
    ),
    # Newer plugins tag the AMI in CreateImage and do not deregister it. Packer 1.6.6 deregisters it.
    "while the AMI is pending": Phase(lambda sandbox, _, __: ami_states(sandbox) == ["pending"], "CreateImage"),
    "in the boot check": Phase(is_boot_check_running, "CreateImage"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_interrupt_in_each_phase_leaves_nothing(sandbox: Sandbox, catalog: Catalog, phase: str) -> None:
    if phase == "while the instance stops" and sandbox.status["backend"] != "nspawn":
        pytest.skip("no service delays the shutdown of a chroot")
    before, mark, known = list_cloud(sandbox), sandbox.mark(), set(catalog.runs())
    catalog.file("scripts/slow.sh", PHASES[phase].script or f"echo '{phase}' > /etc/quick\n")
    slow_check = {"command": SLOW_CHECK, "timeout": 600, "phase": ["boot"]}
    catalog.image("slow", source=VENDOR, scripts=["scripts/slow.sh"], checks=[slow_check])
    sandbox.control("pending", {"seconds": HANG if phase == "while the AMI is pending" else 0})
    if delayed := PHASES[phase].delayed:
        sandbox.control("faults", {"action": delayed, "delay": HANG, "dry_run": False})
    started = catalog.start("release")

    def log() -> str:
        return "".join(packer_log(run, "slow") for run in catalog.runs() if run not in known)

    try:
        has_ended = lambda: started.poll() is not None
        is_reached = lambda: PHASES[phase].is_reached(sandbox, started.pid, log())
        wait_until(lambda: is_reached() or has_ended(), HANG, phase, every=0.02)
        assert not has_ended(), (catalog.at / "out.log").read_text()
        children = descendants(started.pid)
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does
        sandbox.control("faults", {"faults": []})
        code = started.wait(timeout=HANG)
    finally:
        if started.poll() is None:
            kill_release(started)
        sandbox.control("pending", {"seconds": 0})
        sandbox.control("faults", {"faults": []})
        catalog.file("scripts/slow.sh", WAIT)
        catalog.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
    said = (catalog.at / "out.log").read_text()
    assert code == 130 and "1 cancelled" in said, said
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert not running(children)
    called = [one for one in ORDER if one in sandbox.changes(mark)]
    assert called == ORDER[: ORDER.index(PHASES[phase].last) + 1], f"the signal came too late: {called}"
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
