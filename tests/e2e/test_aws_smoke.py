"""`scripts/aws-smoke.sh` against the local EC2: it needs a confirmation, stops at its limits, and always removes everything."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.inventory import Listing, describe_difference, list_cloud
from support.run import BAKELINE, HANG, REPO, CompletedRun, run, wait_until
from support.sample import FULL
from support.sandbox import Sandbox
from support.seeded_history import SECOND
from support.state import OWN

SCRIPT = str(REPO / "scripts/aws-smoke.sh")
NOTHING_LEFT = "nothing with the tag bakeline:catalog=smoke-"
full_only = pytest.mark.skipif(not FULL, reason="a build for each test: `make matrix`")


@pytest.fixture(autouse=True)
def _fresh(sandbox: Sandbox) -> None:
    sandbox.reset()


def environment(sandbox: Sandbox, target: Path, **more: str) -> dict[str, str]:
    """Returns the variables of the script. Its target directory has the tested bakeline."""
    (target / "debug").mkdir(parents=True, exist_ok=True)
    (target / "debug/bakeline").symlink_to(BAKELINE)
    env = {k: v for k, v in sandbox.env.items() if k not in ("AWS_ENDPOINT_URL", "BAKELINE_SLACK_WEBHOOK_URL", "CI")}
    env |= {"CARGO_TARGET_DIR": str(target), "AWS_SMOKE_ENDPOINT": sandbox.env["AWS_ENDPOINT_URL"]}
    return {**env, "AWS_SMOKE_REGIONS": f"{sandbox.region} {SECOND}", "AWS_SMOKE_ACCOUNT": OWN, **more}


def smoke(sandbox: Sandbox, target: Path, **more: str) -> CompletedRun:
    return run([SCRIPT], REPO, environment(sandbox, target, **more))


def inventory(sandbox: Sandbox) -> dict[str, Listing]:
    """Returns the resources of both Regions."""
    listing = {sandbox.region: list_cloud(sandbox)}
    ec2 = sandbox.client("ec2", SECOND)
    images = [image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]]
    snapshots = [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    return {**listing, SECOND: {"images": images, "snapshots": snapshots}}


def assert_unchanged(sandbox: Sandbox, before: dict[str, Listing]) -> None:
    after = inventory(sandbox)
    assert after == before, {region: describe_difference(before[region], after[region]) for region in before}


@pytest.mark.parametrize("account", ["", "999999999999"])
def test_nothing_is_created_without_the_right_confirmation(sandbox: Sandbox, tmp_path: Path, account: str) -> None:
    before, mark = inventory(sandbox), sandbox.mark()
    done = smoke(sandbox, tmp_path, AWS_SMOKE_ACCOUNT=account)
    assert done.code == 1 and f"set AWS_SMOKE_ACCOUNT={OWN}" in done.err and "USD" in done.err, done
    assert sandbox.changes(mark) == []
    assert_unchanged(sandbox, before)


def test_script_refuses_to_run_in_ci(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = sandbox.mark()
    done = smoke(sandbox, tmp_path, CI="true")
    assert done.code == 1 and "never runs in CI" in done.err and sandbox.changes(mark) == [], done


@full_only
def test_complete_run_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    before, mark = inventory(sandbox), sandbox.mark()
    done = smoke(sandbox, tmp_path)
    assert done.code == 0 and NOTHING_LEFT in done.err, done
    assert {"RunInstances", "CreateImage", "CopyImage", "PutParameter", "DeregisterImage"} <= set(sandbox.changes(mark))
    assert_unchanged(sandbox, before)


@full_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("action", ["RunInstances", "CreateImage", "CopyImage"])
def test_interrupted_run_leaves_nothing(sandbox: Sandbox, tmp_path: Path, number: int, action: str) -> None:
    before, mark = inventory(sandbox), sandbox.mark()
    log = tmp_path / "log"
    with log.open("wb") as to:
        started = subprocess.Popen(
            [SCRIPT], cwd=REPO, env=environment(sandbox, tmp_path), stdout=to, stderr=to, start_new_session=True
        )
    called = lambda: started.poll() is not None or action in sandbox.changes(mark)
    wait_until(called, HANG, action)
    assert started.poll() is None, log.read_text()
    # As ^C at a terminal, which reaches the whole process group.
    os.killpg(started.pid, number)
    assert started.wait(timeout=HANG) == 128 + number, log.read_text()
    assert NOTHING_LEFT in log.read_text()
    assert_unchanged(sandbox, before)


@full_only
@pytest.mark.parametrize(
    ("limit", "says"),
    [({"AWS_SMOKE_RESOURCES": "2"}, "resources exist, the limit is 2"), ({"AWS_SMOKE_MINUTES": "0"}, "time limit")],
)
def test_limits_end_the_run(sandbox: Sandbox, tmp_path: Path, limit: dict[str, str], says: str) -> None:
    before = inventory(sandbox)
    done = smoke(sandbox, tmp_path, **limit)
    assert done.code == 1 and says in done.err and NOTHING_LEFT in done.err, done
    assert_unchanged(sandbox, before)
