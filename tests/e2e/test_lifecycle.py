"""The lifecycle of an image in two Regions and a second account, judged by an oracle after every transition."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.sandbox import Sandbox
from support.seeded_history import SECOND, create_catalog, initial_state
from support.state import OTHER, CloudObserver


class Scenario:
    """One image, its expected state and its observer."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog, image: str) -> None:
        self.catalog, self.image, self.table = catalog, image, initial_state(sandbox)
        self.observer = CloudObserver(sandbox, catalog.name)

    def release(self, *words: str) -> str:
        version = str(self.catalog.release(self.image, *words)[self.image]["version"])
        self.table.release(version)
        return version

    def do(self, *words: str, want: int = 0) -> None:
        self.catalog.bakeline(*words, want=want)

    def assert_matches(self) -> None:
        self.observer.assert_matches(self.table, self.image)

    def ids(self, version: str) -> list[str]:
        """Returns the AMI of a version in each location, with the Region."""
        found = [(a, place) for place in self.table.cells for a in self.observer.amis(place, self.image)]
        return [word for a, p in found if tags(a)["bakeline:version"] == version for word in (a["ImageId"], p[1])]


@pytest.fixture(scope="module")
def scenario(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    catalog = create_catalog(sandbox, tmp_path_factory.mktemp("life"), "life")
    catalog.image("jdk", source=VENDOR, scripts=["scripts/mark.sh"])
    yield Scenario(sandbox, catalog, "jdk")


def test_every_transition_matches_oracle(sandbox: Sandbox, scenario: Scenario) -> None:
    one = scenario.release()
    scenario.assert_matches()
    scenario.do("promote", "jdk", "--to", "Prod")
    scenario.table.promote(one, "Prod")
    scenario.assert_matches()
    assert_slack_message(sandbox, "promoted", "Prod", *scenario.ids(one))
    copies = [scenario.observer.amis(place, "jdk") for place in scenario.table.ladder["Prod"][1:]]
    assert [len(found) for found in copies] == [1, 1, 1], "there is a copy at every further place"
    assert len({ami["ImageId"] for found in copies for ami in found}) == 3
    two = scenario.release("--force")
    scenario.assert_matches()
    scenario.do("promote", "jdk", "--to", "Prod")
    scenario.table.promote(two, "Prod")
    scenario.assert_matches()
    scenario.do("rollback", "jdk", "--env", "Prod")
    scenario.table.rollback("Prod", one)
    scenario.assert_matches()
    assert_slack_message(sandbox, "rolled back", "Prod", *scenario.ids(one))
    refused = scenario.catalog.bakeline("promote", "jdk", "--to", "Prod", want=7)
    assert two in refused.err and "held" in refused.err, refused
    scenario.assert_matches()
    scenario.do("hold", "jdk", two, "--release-hold")
    scenario.table.hold(two, "released")
    scenario.assert_matches()
    scenario.do("promote", "jdk", "--to", "Prod")
    scenario.table.promote(two, "Prod")
    scenario.assert_matches()
    scenario.do("revoke", "jdk", two, "--apply")
    scenario.table.revoke(two)
    scenario.assert_matches()
    assert_slack_message(sandbox, "revoked", two)
    assert scenario.observer.view(scenario.table.home, "jdk").latest == {"Test": one, "Prod": one}
    scenario.do("doctor")
    scenario.do("prune", "--apply")
    for place in scenario.table.cells:
        scenario.table.retire(two, place, "deprecate")
    scenario.assert_matches()
    [gone] = [a for a in scenario.observer.amis(scenario.table.home, "jdk") if tags(a)["bakeline:version"] == two]
    scenario.do("restore", gone["ImageId"])
    scenario.table.restore(two, scenario.table.home)
    assert scenario.table.cells[scenario.table.home][two].state == "revoked", "restored is not released"
    scenario.assert_matches()
    scenario.do("doctor")
    assert_not_shared(sandbox, scenario)


def assert_slack_message(sandbox: Sandbox, *words: str) -> None:
    """Asserts that the last Slack message contains these words."""
    message = json.dumps(sandbox.slack()[-1])
    assert all(word in message for word in words), (words, message)


def assert_not_shared(sandbox: Sandbox, scenario: Scenario) -> None:
    """Asserts that the original is not shared after copying."""
    ec2 = sandbox.client("ec2")
    for ami in scenario.observer.amis(scenario.table.home, scenario.image):
        shown = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")
        assert shown["LaunchPermissions"] == [], ami["ImageId"]


def test_copy_in_other_account_is_launchable_and_tagged(scenario: Scenario) -> None:
    place = (OTHER, SECOND)
    [good] = [a for a in scenario.observer.amis(place, "jdk") if tags(a)["bakeline:state"] == "released"]
    its = tags(good)
    assert {"bakeline:recipe", "bakeline:checks", "bakeline:run", "bakeline:by", "Name"} <= its.keys(), its
    assert "bakeline:expires" not in its
    snapshots = [m["Ebs"]["SnapshotId"] for m in good["BlockDeviceMappings"] if "Ebs" in m]
    [snapshot] = scenario.observer.client("ec2", place).describe_snapshots(SnapshotIds=snapshots)["Snapshots"]
    assert tags(snapshot)["bakeline:state"] == "released"
    assert "bakeline:expires" not in tags(snapshot)


def test_failing_region_is_reported_and_rerun_completes(sandbox: Sandbox, scenario: Scenario) -> None:
    three = scenario.release("--force")
    sandbox.control(
        "copies", {"seconds": 1, "fail": "Client.InvalidKey: the key is gone", "region": SECOND, "times": 2}
    )
    said = scenario.catalog.bakeline("promote", "jdk", "--to", "Prod", want=4)
    assert SECOND in said.err and "the key is gone" in said.err, said
    before = scenario.table.copy()
    scenario.table.promote(three, "Prod")
    for place in scenario.table.cells:
        wanted = before if place[1] == SECOND else scenario.table
        assert scenario.observer.view(place, "jdk") == wanted.view(place), place
        assert scenario.observer.unfinished_copies(place, "jdk") == [], "a failed copy is taken away"
    sick = scenario.catalog.bakeline("doctor", want=5)
    assert SECOND in sick.out and "promote jdk --to Prod" in sick.out, sick
    mark = sandbox.mark()
    scenario.do("promote", "jdk", "--to", "Prod")
    calls = [call for call in sandbox.api(mark) if call["action"] == "CopyImage"]
    copied = [call["region"] for call in calls if call["error"] is None]
    assert copied == [SECOND, SECOND], "existing AMIs are not changed"
    scenario.assert_matches()
    scenario.do("doctor")


def test_refused_promotion_changes_nothing(sandbox: Sandbox, scenario: Scenario) -> None:
    mark = sandbox.mark()
    for words, said in [
        (["promote", "jdk", "--to", "Test"], "lowest environment"),
        (["rollback", "jdk", "--env", "Prod", "--to", "20200101.1"], "no version 20200101.1"),
        (["revoke", "jdk", "20200101.1", "--apply"], "no version 20200101.1"),
        (["hold", "jdk", "20200101.1"], "no version 20200101.1"),
    ]:
        done = scenario.catalog.bakeline(*words, want=7)
        assert said in done.err, done
    assert [c for c in sandbox.changes(mark) if c != "AssumeRole"] == []
    scenario.assert_matches()
