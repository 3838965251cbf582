"""A killed release continues with `resume`, or is undone with `abort`, in another working directory.

Odd positions end bakeline, its supervisor and Packer together, as a lost machine does. Even positions end only bakeline. The
judge lists all resources with boto3. CI kills at one write to the store; `make chaos` kills at each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.interrupted import kill_during, newest_run, recover
from support.inventory import Listing, Process, describe_difference, list_cloud
from support.run import HANG, wait_until
from support.running_release import descendants, kill_release
from support.sandbox import Sandbox

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
OFFSET = int(os.environ.get("BAKELINE_SAMPLE_OFFSET", "0"))
BUCKET = "released-by-two-machines"
GOALS = ("resume", "abort")
WRITES = 33
"""Number of writes of a release, for samples."""
CHANGING = ("instances", "volumes", "snapshots", "keys", "groups", "interfaces", "addresses", "templates")


@dataclass(frozen=True)
class Snapshot:
    """Resources of the cloud and values of the pointers."""

    cloud: Listing
    pointers: dict[str, str]


class KilledReleases:
    """Releases of one image. Each has a current version before it starts."""

    def __init__(self, sandbox: Sandbox, at: Path) -> None:
        place = {"LocationConstraint": sandbox.region}
        sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        self.sandbox, self.at = sandbox, at
        self.catalog = Catalog(sandbox, at / "catalog", "killed", store={"s3": {"bucket": BUCKET}})
        self.catalog.file("scripts/mark.sh", "echo killed > /etc/killed\n")
        self.catalog.image("base", source=VENDOR, scripts=["scripts/mark.sh"], checks=[{"file": "/etc/killed"}])
        self.catalog.release()

    def latest(self) -> str:
        return self.catalog.latest("base")

    def snapshot(self) -> Snapshot:
        cloud = list_cloud(self.sandbox)
        pointers = {one["Name"]: one["Value"] for one in map(json.loads, cloud.pop("parameters"))}
        return Snapshot(cloud, pointers)

    def count_writes(self) -> int:
        """Returns the number of writes to the store that a release makes."""
        mark = self.sandbox.mark()
        self.catalog.release("base", "--force")
        return self.sandbox.changes(mark).count("PUT")

    def kill_at(self, nth: int) -> bool:
        """Kills a release during its `nth` write. Returns whether it was killed in time."""
        children: list[Process] = []

        def kill(started: subprocess.Popen[bytes]) -> None:
            children.extend(descendants(started.pid))
            if nth % 2:
                kill_release(started)
            else:
                started.kill()

        in_time = kill_during(self.catalog, ("release", "base", "--force"), nth, "PUT", kill)
        is_running = lambda: any(Path(f"/proc/{one.pid}").exists() for one in children)
        wait_until(lambda: not is_running(), HANG, "the end of the killed processes", every=0.1)
        return in_time

    def is_built(self, run: str) -> bool:
        """Returns whether the store has the line of the finished build."""
        s3 = self.sandbox.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"killed/runs/{run}/journal")
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        texts = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys]
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        assert all(line["step"].startswith("base/") for line in lines), lines
        return any((line["step"], line["phase"]) == ("base/build", "succeeded") for line in lines)

    def assert_latest_is_tested(self) -> None:
        """Asserts that `latest` prints an available AMI whose tags say that it passed and is current."""
        [ami] = self.sandbox.client("ec2").describe_images(ImageIds=[self.latest()])["Images"]
        assert ami["State"] == "available" and tags(ami)["bakeline:state"] == "released", ami
        assert "Test" in current(ami), ami

    def assert_released(self, before: Snapshot, was: str) -> None:
        """Asserts that exactly one AMI is new and current, and that no temporary resource is left."""
        now = self.snapshot()
        new = [line for line in now.cloud["images"] if image_id(line) not in map(image_id, before.cloud["images"])]
        assert [image_id(line) for line in new] == [self.latest()] != [was], new
        for kind in CHANGING:
            extra = [line for line in now.cloud[kind] if line not in before.cloud[kind]]
            if kind == "snapshots":
                used = [disk["Ebs"]["SnapshotId"] for line in new for disk in json.loads(line)["BlockDeviceMappings"]]
                extra = [line for line in extra if json.loads(line)["SnapshotId"] not in used]
            assert not extra, (kind, extra)
        assert set(now.pointers.values()) == {self.latest()}, now.pointers

    def assert_undone(self, before: Snapshot) -> None:
        now = self.snapshot()
        assert now.cloud == before.cloud, describe_difference(before.cloud, now.cloud)
        assert now.pointers == before.pointers


def image_id(line: str) -> str:
    [found] = re.findall(r'"ImageId": "(ami-[0-9a-f]+)"', line)
    return str(found)


@pytest.fixture(scope="module")
def killed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledReleases]:
    yield KilledReleases(sandbox, tmp_path_factory.mktemp("killed"))
    sandbox.control("faults", {"faults": []})


def kills(lines: int) -> list[tuple[int, str]]:
    """Returns the writes at which to kill, each with the command that follows. A sample is from the middle."""
    cells = [(nth, goal) for nth in range(1, lines + 1) for goal in GOALS if goal == "resume" or nth % 4 in (0, 1)]
    return cells if FULL else [cells[len(cells) // 2 + OFFSET % (len(cells) // 4)]]


def test_killed_release_is_continued_or_undone(killed: KilledReleases) -> None:
    lines = killed.count_writes() if FULL else WRITES
    assert lines > 10, "the lines of the journal are objects of the store"
    begun = 0
    for nth, goal in kills(lines):
        before, was, known = killed.snapshot(), killed.latest(), newest_run(killed.catalog)["run"]
        assert killed.kill_at(nth), f"the release ended before its write {nth} of {lines}"
        killed.assert_latest_is_tested()
        dead = newest_run(killed.catalog)
        if dead["run"] == known:
            killed.assert_undone(before)  # Killed before the store had the plan: nothing had begun.
            continue
        if dead["state"] == "ended":
            killed.assert_released(before, was)  # Killed after the store had the complete journal.
            continue
        assert (dead["command"], dead["state"]) == ("release", "unfinished"), dead
        begun += dead["scopes"].get("begun", 0)
        finished, is_built = dead["scopes"].get("done", 0), killed.is_built(dead["run"])
        mark = killed.sandbox.mark()
        done = recover(killed.catalog, killed.at / f"{goal}{nth}", goal, dead["run"])
        assert done.code == 0, (nth, goal, done)
        killed.assert_latest_is_tested()
        assert newest_run(killed.catalog)["state"] == "ended"
        if goal == "resume" or finished:
            killed.assert_released(before, was)
        else:
            killed.assert_undone(before)
        builds = killed.sandbox.changes(mark).count("CreateImage")
        assert builds == (goal == "resume" and not is_built and not finished), (nth, goal, builds)
        print(f"release, write {nth} of {lines}, {goal}: {dead['scopes']}, {builds} builds", flush=True)
        assert json.loads(killed.catalog.bakeline("sweep", "--json", want=0).out) == []
    assert begun, "no kill left the image in the middle"
