"""A base's control fails while a sibling is inside its provisioner: the line stops, Packer cleans up, Slack hears why."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import Listing, Watcher, describe_difference, list_cloud
from support.run import HANG, run, wait_until
from support.running_release import WAIT, WAITING, packer_log, resume_build, start_release
from support.sandbox import Sandbox

GOOD = [{"file": "/etc/base", "content": "right\n"}]


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Two base images; one gets a child."""
    made = Catalog(sandbox, tmp_path_factory.mktemp("line"), "line")
    made.file("scripts/base.sh", "set -eu\necho right > /etc/base\n")
    made.file("scripts/side.sh", "set -eu\necho side > /etc/side\n")
    made.image("base", source=VENDOR, scripts=["scripts/base.sh"], checks=GOOD)
    made.image("side", source=VENDOR, scripts=["scripts/side.sh"])
    made.image("child", parent="base")
    yield made


def test_failing_control_stops_release_and_cleans_up(sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.release()
    old = {image: catalog.latest(image) for image in ("base", "side", "child")}
    before, heard = list_cloud(sandbox), len(sandbox.slack())
    marker = "the sibling is inside its provisioner"
    catalog.file("scripts/side.sh", f"set -eu\necho {shlex.quote(marker)}\nsleep 6000\necho side2 > /etc/side\n")
    # The wrong edit: it waits, so that the failure comes while the sibling is in its provisioner.
    catalog.file("scripts/base.sh", f"set -eu\n{WAIT}echo wrong > /etc/base\n")
    with Watcher(sandbox) as watcher:
        started, here = start_release(catalog, "side", "--jobs", "2", says=marker)
        wait_until(lambda: WAITING in packer_log(here, "base"), HANG, "the base's build")
        resume_build(sandbox, here, "base")
        assert started.wait(timeout=HANG) == 3
    said = (catalog.at / "out.log").read_text()
    assert "/etc/base" in said and "right" in said and "wrong" in said, said
    assert "`base` failed, so the others were cancelled; `on_failure: continue`" in said, said
    assert "Cleanly cancelled builds after being interrupted" in packer_log(here, "side"), packer_log(here, "side")[
        -2000:
    ]
    watcher.assert_complete()
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    result = {one["image"]: one for one in json.loads((here / "result.json").read_text())["images"]}
    assert {name: one["status"] for name, one in result.items()} == {
        "base": "failed",
        "side": "cancelled",
        "child": "not started",
    }
    assert (
        result["child"]["kept"]
        == tags(next(a for a in catalog.images() if a["ImageId"] == old["child"]))["bakeline:version"]
    )
    assert {image: catalog.latest(image) for image in old} == old
    [message] = sandbox.slack()[heard:]
    assert "/etc/base" in json.dumps(message), message


def test_on_failure_continue_skips_only_descendants(sandbox: Sandbox, catalog: Catalog) -> None:
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, "on_failure": "continue"}))
    catalog.file("scripts/base.sh", "set -eu\necho wrong > /etc/base\n")
    catalog.file("scripts/side.sh", "set -eu\nsleep 6\necho side3 > /etc/side\n")
    old = {image: catalog.latest(image) for image in ("base", "side", "child")}
    results = catalog.release("--jobs", "2", want=3)
    assert {name: one["status"] for name, one in results.items()} == {
        "base": "failed",
        "side": "released",
        "child": "not started",
    }
    new = {image: catalog.latest(image) for image in old}
    assert new["side"] != old["side"] and (new["base"], new["child"]) == (old["base"], old["child"])
    catalog.file("bakeline.yaml", json.dumps(settings))


@pytest.mark.parametrize("phase", ["build", "boot"])
def test_keep_failed_keeps_instance_and_prints_ssh_command(sandbox: Sandbox, catalog: Catalog, phase: str) -> None:
    wrong = [{"command": "cat /etc/base", "stdout": "better\n", "phase": [phase]}]
    catalog.file("scripts/base.sh", f"set -eu\necho {phase} > /etc/base\n")
    catalog.image("base", source=VENDOR, scripts=["scripts/base.sh"], checks=wrong)
    before = list_cloud(sandbox)
    catalog.release("base", "--keep-failed", want=3)
    [line] = [line for line in catalog.last.err.splitlines() if "ssh -i" in line]
    words = shlex.split(line[line.index("ssh -i") :])
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    inside = run([*words, *options, "cat", "/etc/base"], catalog.at, sandbox.env, timeout=HANG, want=0)
    assert inside.out == f"{phase}\n"
    timers = [*words, *options, "systemctl", "list-timers", "--no-pager"]
    if sandbox.status["backend"] == "nspawn":
        # cloud-init sets it at the end of the boot, which the checks don't wait for.
        shown = lambda: "bakeline-deadline.timer" in run(timers, catalog.at, sandbox.env, timeout=HANG).out
        wait_until(shown, HANG, "the timer that ends the instance")
    ec2 = sandbox.client("ec2")
    [kept] = [
        one
        for group in ec2.describe_instances(Filters=[{"Name": "tag:bakeline:run", "Values": [catalog.run.name]}])[
            "Reservations"
        ]
        for one in group["Instances"]
        if one["State"]["Name"] == "running"
    ]
    assert tags(kept)["bakeline:expires"] in catalog.last.err
    sweep_kept_resources(sandbox, catalog, before)


def sweep_kept_resources(sandbox: Sandbox, catalog: Catalog, before: Listing) -> None:
    """Asserts that a sweep keeps the resources of a failed release until they expire, and then removes them."""
    found = json.loads(catalog.bakeline("sweep", "--json", want=0).out)
    assert found and not [one for one in found if one["remove"]], found
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    for resource in [one["thing"]["id"] for one in found]:
        sandbox.client("ec2").create_tags(Resources=[resource], Tags=[{"Key": "bakeline:expires", "Value": past}])
    catalog.bakeline("sweep", "--apply", want=0)
    wait_until(
        lambda: list_cloud(sandbox) == before,
        HANG,
        f"the inventory as before, not {describe_difference(before, list_cloud(sandbox))}",
    )


def test_keep_failed_reports_the_error_of_the_script(sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/base.sh", "set -eu\necho 'the license is missing' >&2\nexit 3\n")
    catalog.image("base", source=VENDOR, scripts=["scripts/base.sh"])
    before = list_cloud(sandbox)
    failure = catalog.release("base", "--keep-failed", want=4)["base"]["failure"]
    assert "the license is missing" in failure and "aborted" not in failure, failure
    assert "kept: instance i-" in catalog.last.err, catalog.last
    sweep_kept_resources(sandbox, catalog, before)


def processes_in(directory: Path) -> list[str]:
    """Returns the command lines of the processes that work in a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(directory):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_stopped_release_leaves_no_process(catalog: Catalog) -> None:
    assert not processes_in(catalog.at)


SLEEPERS: dict[str, dict[str, Any]] = {
    "check-build --request": {"checks": [{"command": "sleep 250", "exit_status": 0, "phase": ["build"]}]},
    "play --folder": {"ansible": [{"playbook": "sleep/site.yml"}]},
}


@pytest.mark.parametrize("program", SLEEPERS)
def test_interrupted_build_leaves_no_process(sandbox: Sandbox, tmp_path: Path, program: str) -> None:
    """Packer does not end the programs of shell-local provisioners."""
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "sleeping", "sleeping")
    # On the runner, where it does not end with the instance.
    task = {"ansible.builtin.command": "sleep 250", "delegate_to": "localhost"}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    catalog.file("sleep/site.yml", json.dumps([play]))
    catalog.image("base", source=VENDOR, **SLEEPERS[program])
    started = catalog.start("release")

    def is_running() -> bool:
        assert started.poll() is None, (catalog.at / "out.log").read_text()
        return any(program in command for command in processes_in(catalog.at))

    wait_until(is_running, HANG, program)
    time.sleep(5)  # until Ansible runs the task
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=HANG) == 130, (catalog.at / "out.log").read_text()
    # Not until HANG: the commands sleep for 250 s, so that a process that does not end is noticed.
    wait_until(lambda: not processes_in(catalog.at), 20, "the end of all processes")
    assert catalog.images() == []


def test_build_that_takes_too_long_fails_and_is_cleaned_up(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "endless", "endless", builder={"timeout": "25s"})
    catalog.file("scripts/endless.sh", "set -eu\nsleep 6000\n")
    catalog.image("endless", source=VENDOR, scripts=["scripts/endless.sh"])
    with Watcher(sandbox) as watcher:
        done = catalog.bakeline("release", want=4)
    assert "the build did not end within 25s (`builder.timeout`)" in done.err and "packer.log" in done.err, done
    log = packer_log(catalog.runs()[0], "endless")
    assert "Cleanly cancelled builds after being interrupted" in log, log[-2000:]
    watcher.assert_complete()
    assert catalog.images() == []
