"""Retirement stage by stage, and restore, in two Regions of two accounts. The oracle agrees after every prune and every
restore, and a version that came back is good for a rollback."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from support.catalog import tags
from support.sandbox import Sandbox
from support.seeded_history import ONE, SECOND, SeededHistory, create_catalog
from support.state import OTHER, ExpectedState, Location

STRANGER = "333333333333"
SHARED: Location = (OTHER, SECOND)


class RetirementScenario(SeededHistory):
    """Two images with a version to retire, one of them shared with another account."""

    def __init__(self, sandbox: Sandbox, at: Path) -> None:
        super().__init__(sandbox, create_catalog(sandbox, at, "ladder", retention={"keep": 1, "reserve": 1}))
        self.tables: dict[str, ExpectedState] = dict(self.image(promoted=True) for _ in range(2))
        self.gone, self.back = self.tables
        self.places = list(self.tables[self.gone].cells)
        self.ids = {(name, place): self.ami(name, place)["ImageId"] for name in self.tables for place in self.places}
        self.observer.client("ec2", SHARED).modify_image_attribute(
            ImageId=self.ids[self.back, SHARED], LaunchPermission={"Add": [{"UserId": STRANGER}]}
        )
        self.tables[self.back].launchers[SHARED, ONE] = frozenset({STRANGER})

    def ami(self, name: str, place: Location) -> dict[str, object]:
        [found] = [ami for ami in self.observer.amis(place, name) if tags(ami)["bakeline:version"] == ONE]
        return found

    def assert_matches(self) -> None:
        for name, table in self.tables.items():
            self.observer.assert_matches(table, name)
            for place in self.places:
                assert self.observer.launch_accounts(place, name) == table.launch_accounts(place), (name, place)

    def prune(self, *words: str) -> list[str]:
        """Runs prune and returns its changes."""
        mark = self.sandbox.mark()
        self.catalog.bakeline("prune", "--apply", *words, want=0)
        return [action for action in self.sandbox.changes(mark) if action != "AssumeRole"]

    def down(self, name: str, rung: str, places: list[Location] | None = None) -> None:
        for place in places or self.places:
            self.tables[name].retire(ONE, place, rung)

    def advance_days(self, days: int) -> None:
        """Moves the clock so that this many days have passed since the last stage."""

        def shift_time(time: re.Match[str]) -> str:
            return (datetime.fromisoformat(time[0]) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

        for place in self.places:
            for ami in self.observer.amis(place):
                if marks := tags(ami).get("bakeline:retiring"):
                    moved = re.sub(r"\d{4}-[-0-9:T.]+Z", shift_time, marks)
                    assert moved != marks
                    where = {"image": ami["ImageId"], "account": place[0], "region": place[1]}
                    self.sandbox.control("backdate", {**where, "days": days})
                    self.observer.client("ec2", place).create_tags(
                        Resources=[ami["ImageId"]], Tags=[{"Key": "bakeline:retiring", "Value": moved}]
                    )

    def assert_healthy(self) -> None:
        findings = json.loads(self.catalog.bakeline("doctor", "--json", want=0).out)
        assert [one for one in findings if not one.get("lost")] == [], "only evidence that cannot exist may be missing"


def test_every_retirement_stage_and_restore_matches_oracle(sandbox: Sandbox, tmp_path: Path) -> None:
    ladder = RetirementScenario(sandbox, tmp_path / "ladder")
    gone, back, places = ladder.gone, ladder.back, ladder.places
    ladder.assert_matches()
    snapshots = {p: ladder.ami(gone, p)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for p in places}  # type: ignore[index]

    ladder.prune()
    for name in (gone, back):
        ladder.down(name, "deprecate")
    ladder.assert_matches()
    ladder.catalog.bakeline("restore", ladder.ids[gone, places[0]], want=0)
    ladder.tables[gone].restore(ONE, places[0])
    ladder.assert_matches()
    ladder.prune()
    ladder.down(gone, "deprecate", places[:1])
    ladder.assert_matches()
    ladder.advance_days(6)
    assert ladder.prune() == [], "its time has not come"
    ladder.assert_matches()
    ladder.assert_healthy()

    ladder.advance_days(2)
    ladder.prune()
    ladder.down(gone, "disable")
    ladder.down(back, "disable", [place for place in places if place != SHARED])
    ladder.assert_matches()
    ladder.prune("--shared-ok")
    ladder.down(back, "disable", [SHARED])
    ladder.assert_matches()
    ladder.assert_healthy()

    for place in places:
        ladder.catalog.bakeline("restore", ladder.ids[back, place], want=0)
        ladder.tables[back].restore(ONE, place)
        ladder.assert_matches()
    assert ladder.observer.launch_accounts(SHARED, back)[ONE] == {STRANGER}
    ladder.catalog.bakeline("rollback", back, "--env", "Prod", want=0)
    ladder.tables[back].rollback("Prod", ONE)
    ladder.assert_matches()

    ladder.advance_days(8)
    ladder.prune()
    ladder.down(gone, "deregister")
    ladder.assert_matches()
    ladder.assert_healthy()
    for place, snapshot in snapshots.items():
        with pytest.raises(ClientError, match="InvalidSnapshot.NotFound"):
            ladder.observer.client("ec2", place).describe_snapshots(SnapshotIds=[snapshot])
    mark = sandbox.mark()
    late = ladder.catalog.bakeline("restore", ladder.ids[gone, places[0]], want=6)
    assert "deregistered AMIs cannot be restored" in late.err, late
    assert [action for action in sandbox.changes(mark) if action != "AssumeRole"] == []


def test_restore_reports_that_an_ami_cannot_become_public_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Block Public Access refuses the permission for everybody, after the AMI was enabled."""
    sandbox.reset()
    ladder = RetirementScenario(sandbox, tmp_path / "public")
    name, home = ladder.back, ladder.places[0]
    ec2, ami = ladder.observer.client("ec2", home), ladder.ids[ladder.back, home]
    add = {"Add": [{"Group": "all"}, {"UserId": STRANGER}]}
    ec2.modify_image_attribute(ImageId=ami, LaunchPermission=add)
    ladder.prune("--shared-ok")
    ladder.advance_days(8)
    ladder.prune("--shared-ok")
    [found] = ec2.describe_images(ImageIds=[ami], IncludeDisabled=True)["Images"]
    assert found["State"] == "disabled", name
    text = "You cannot publicly share this image as public sharing of AMIs is blocked."
    fault = {"action": "ModifyImageAttribute", "code": "OperationNotPermitted", "status": 400, "times": 1, "after": 1}
    sandbox.control("faults", {"faults": [{**fault, "message": text}]})
    done = ladder.catalog.bakeline("restore", ami, want=0)
    sandbox.control("faults", {"faults": []})
    assert "Block Public Access" in done.err and "OperationNotPermitted" in done.err, done
    [found] = ec2.describe_images(ImageIds=[ami])["Images"]
    assert found["State"] == "available" and not found["Public"]
    assert {"bakeline:state", "bakeline:retiring"} & {t["Key"] for t in found["Tags"]} == {"bakeline:state"}
    who = ec2.describe_image_attribute(ImageId=ami, Attribute="launchPermission")["LaunchPermissions"]
    assert who == [{"UserId": STRANGER}]
