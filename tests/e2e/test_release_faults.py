"""A release with real Packer and a fault in one of its API actions, once per action.

The kind of the fault rotates. CI runs one action; `make faults` runs all of them, and compares the list
of actions with the API log.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.fault_cells import FULL, KINDS, OFFSET, Call, Cell, Report, fault_of
from support.inventory import Listing, describe_difference, list_cloud
from support.packers import find_packers
from support.run import CompletedRun
from support.sandbox import Sandbox

# Actions of a release, by service. A full run fails if the API log has another one.
ACTIONS = {
    "AuthorizeSecurityGroupIngress": "ec2",
    "CreateImage": "ec2",
    "CreateKeyPair": "ec2",
    "CreateSecurityGroup": "ec2",
    "CreateTags": "ec2",
    "DeleteKeyPair": "ec2",
    "DeleteSecurityGroup": "ec2",
    "DeleteTags": "ec2",
    "DescribeImages": "ec2",
    "DescribeInstanceTypeOfferings": "ec2",
    "DescribeInstanceTypes": "ec2",
    "DescribeInstances": "ec2",
    "DescribeKeyPairs": "ec2",
    "DescribeRegions": "ec2",
    "DescribeSecurityGroups": "ec2",
    "DescribeSnapshots": "ec2",
    "DescribeSubnets": "ec2",
    "DescribeVolumes": "ec2",
    "DescribeVpcs": "ec2",
    "GetCallerIdentity": "sts",
    "GetParameter": "ssm",
    "ModifyImageAttribute": "ec2",
    "PutParameter": "ssm",
    "RunInstances": "ec2",
    "StopInstances": "ec2",
    "TerminateInstances": "ec2",
}
TEMPORARY = ("instances", "volumes", "keys", "groups", "interfaces")


class ReleaseProduct:
    """Releases of one image. Each has a fault in another action."""

    def __init__(self, sandbox: Sandbox, at: Path) -> None:
        self.sandbox, self.report = sandbox, Report("release with Packer")
        self.catalog = Catalog(sandbox, at, "faulty")
        self.catalog.file("scripts/mark.sh", "echo faulty > /etc/faulty\n")
        self.catalog.image("base", source=VENDOR, scripts=["scripts/mark.sh"])

    def latest(self) -> str:
        return self.catalog.bakeline("latest", "base", "--env", "Test").out.strip()

    def release(self) -> tuple[CompletedRun, list[Call]]:
        mark = self.sandbox.mark()
        done = self.catalog.bakeline("release", "base", "--force")
        return done, self.sandbox.api(mark)

    def judge(self, cell: Cell, log: list[Call]) -> None:
        self.catalog.bakeline("sweep", "--apply", want=0)
        before, was = list_cloud(self.sandbox), self.latest()
        self.sandbox.control("faults", {"faults": cell.faults(log) if log else faults_without_log(cell)})
        done, calls = self.release()
        self.sandbox.control("faults", {"faults": []})
        self.report.hits += sum(call["action"] == cell.action for call in calls) > cell.after
        self.report.cells += 1
        found = self.false_statements(done, before, was)
        self.report.false_statements += [f"{cell}: {text}\n{done}" for text in found]
        leaks = self.leaks(done, before)
        self.report.leaks += [f"{cell}: {text}\n{done}" for text in leaks]
        print(f"release, {cell}: exit {done.code}, {len(leaks)} leaks, {len(found)} false statements", flush=True)

    def false_statements(self, done: CompletedRun, before: Listing, was: str) -> list[str]:
        now, found = list_cloud(self.sandbox), []
        if done.code == 0:
            if not re.search(r"^base +\S+ +" + self.latest() + r" +released\b", done.out, re.MULTILINE):
                found.append(f"released, but the current AMI is {self.latest()}")
            if self.latest() == was:
                found.append(f"exit 0, but {was} is still current")
        elif re.search(r"^\S+Z base\s+cleaned up$", done.err, re.MULTILINE) or "nothing was changed" in done.err:
            difference = describe_difference(before, now)
            found += [f"cleaned up, but {difference}"] if difference else []
        if "stays current" in done.out and self.latest() != was:
            found.append(f"{was} stays current, but {self.latest()} is")
        return found

    def leaks(self, done: CompletedRun, before: Listing) -> list[str]:
        """Returns what is left after a sweep: temporary resources, candidates, and snapshots without an AMI."""
        swept = self.catalog.bakeline("sweep", "--apply")
        found = [] if swept.code == 0 else [f"sweep: {swept}"]
        after = list_cloud(self.sandbox)
        for kind in TEMPORARY:
            found += [f"left: {one}" for one in after[kind] if one not in before[kind]]
        amis = self.catalog.images()
        found += [f"left: {ami}" for ami in amis if tags(ami).get("bakeline:state") != "released"]
        used = {disk["Ebs"]["SnapshotId"] for ami in amis for disk in ami["BlockDeviceMappings"] if "Ebs" in disk}
        snapshots = self.sandbox.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
        found += [f"left: {one['SnapshotId']}" for one in snapshots if tags(one) and one["SnapshotId"] not in used]
        found += [f"destroyed: {one}" for one in before["images"] if image_id(one) not in {a["ImageId"] for a in amis}]
        return found


def image_id(line: str) -> str:
    [found] = re.findall(r'"ImageId": "(ami-[0-9a-f]+)"', line)
    return str(found)


def faults_without_log(cell: Cell) -> list[dict[str, object]]:
    """Returns the faults of a sample, which has no log. A session expires at the first call of the action."""
    [own] = cell.faults([{"action": cell.action, "service": cell.service}])
    return [own] + (expired_session(follows=cell.action) if cell.kind == "expired session" else [])


def expired_session(follows: str) -> list[dict[str, object]]:
    """Returns faults that fail all calls after the first call of an action. Dry runs are not faulty."""
    conditions = {"follows": follows, "dry_run": False}
    calls = [(action, service) for action, service in ACTIONS.items() if action != follows]
    return [{"action": one, **fault_of("expired session", service, one), **conditions} for one, service in calls]


def test_release_with_a_fault_per_action_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Actions alternate between the Packer binaries."""
    packers = find_packers()
    position = packers.index(sandbox.packer) if sandbox.packer in packers else 0
    rows = [row for row in range(len(ACTIONS)) if FULL or row == OFFSET % len(ACTIONS)]
    rows = [row for row in rows if row % max(1, len(packers)) == position]
    if not rows:
        pytest.skip("this sample runs with another Packer")
    product, log = ReleaseProduct(sandbox, tmp_path / "faulty"), []
    if FULL:
        done, log = product.release()
        assert done.code == 0, done
        services = {call["action"]: call["service"] for call in log}
        assert services.keys() <= ACTIONS.keys(), sorted(services.keys() - ACTIONS.keys())
    for row in rows:
        action = sorted(ACTIONS)[row]
        if log and action not in {call["action"] for call in log}:
            continue
        kind = KINDS[(row + OFFSET) % len(KINDS)]
        product.judge(Cell(action, ACTIONS[action], kind, 0), log)
    product.report.finish()


def test_build_ends_if_its_session_expires(sandbox: Sandbox, tmp_path: Path) -> None:
    """The waiters of Packer repeat refused calls for hours."""
    product = ReleaseProduct(sandbox, tmp_path / "expired")
    sandbox.control("faults", {"faults": expired_session(follows="RunInstances")})
    done, _ = product.release()
    sandbox.control("faults", {"faults": []})
    instances = list_cloud(sandbox)["instances"]
    assert done.code == 5, done
    assert "EC2 refused 5 calls in a row, so Packer was ended" in done.err, done
    assert "RequestExpired" in done.err, done
    assert len(instances) == 1, "the build left its instance, because it could delete nothing"
    assert product.leaks(done, {**list_cloud(sandbox), "instances": []}) == []
    assert not list_cloud(sandbox)["instances"]
