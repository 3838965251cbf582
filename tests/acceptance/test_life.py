"""The life of an image in two Regions and a second account, judged by an oracle after every transition, and after a
SIGKILL in the middle of every change of a promotion, a rollback and a revocation followed by `doctor`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from judge.catalog import VENDOR, Catalog, tags
from judge.run import HANG, until
from judge.sandbox import Sandbox
from judge.state import OTHER, Eye, Place, Table, View
from judge.written import ONE, SECOND, TWO, Written, fresh, make


class Story:
    """One image, what happened to it, and what the oracle makes of it."""

    def __init__(self, box: Sandbox, catalog: Catalog, image: str) -> None:
        self.catalog, self.image, self.table = catalog, image, fresh(box)
        self.eye = Eye(box, catalog.name)

    def release(self, *words: str) -> str:
        version = str(self.catalog.release(self.image, *words)[self.image]["version"])
        self.table.release(version)
        return version

    def do(self, *words: str, want: int = 0) -> None:
        self.catalog.bakeline(*words, want=want)

    def agree(self) -> None:
        self.eye.agree(self.table, self.image)

    def ids(self, version: str) -> list[str]:
        """The AMI of a version at each place, with the Region's name."""
        found = [(a, place) for place in self.table.cells for a in self.eye.amis(place, self.image)]
        return [word for a, p in found if tags(a)["bakeline:version"] == version for word in (a["ImageId"], p[1])]


@pytest.fixture(scope="module")
def story(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    catalog = make(box, tmp_path_factory.mktemp("life"), "life")
    catalog.image("jdk", source=VENDOR, scripts=["scripts/mark.sh"])
    yield Story(box, catalog, "jdk")


def test_the_oracle_agrees_after_every_transition(box: Sandbox, story: Story) -> None:
    one = story.release()
    story.agree()
    story.do("promote", "jdk", "--to", "Prod")
    story.table.promote(one, "Prod")
    story.agree()
    told(box, "promoted", "Prod", *story.ids(one))
    copies = [story.eye.amis(place, "jdk") for place in story.table.ladder["Prod"][1:]]
    assert [len(found) for found in copies] == [1, 1, 1], "there is a copy at every further place"
    assert len({ami["ImageId"] for found in copies for ami in found}) == 3
    two = story.release("--force")
    story.agree()
    story.do("promote", "jdk", "--to", "Prod")
    story.table.promote(two, "Prod")
    story.agree()
    story.do("rollback", "jdk", "--env", "Prod")
    story.table.rollback("Prod", one)
    story.agree()
    told(box, "rolled back", "Prod", *story.ids(one))
    refused = story.catalog.bakeline("promote", "jdk", "--to", "Prod", want=7)
    assert two in refused.err and "held" in refused.err, refused
    story.agree()
    story.do("hold", "jdk", two, "--release-hold")
    story.table.hold(two, "released")
    story.agree()
    story.do("promote", "jdk", "--to", "Prod")
    story.table.promote(two, "Prod")
    story.agree()
    story.do("revoke", "jdk", two)
    story.table.revoke(two)
    story.agree()
    told(box, "revoked", two)
    assert story.eye.view(story.table.home, "jdk").latest == {"Test": one, "Prod": one}
    story.do("doctor")
    story.do("prune", "--apply")
    for place in story.table.cells:
        story.table.retire(two, place, "deprecate")
    story.agree()
    [gone] = [a for a in story.eye.amis(story.table.home, "jdk") if tags(a)["bakeline:version"] == two]
    story.do("restore", gone["ImageId"])
    story.table.restore(two, story.table.home)
    assert story.table.cells[story.table.home][two].state == "revoked", "restored is not released"
    story.agree()
    story.do("doctor")
    nobody_may_copy(box, story)


def told(box: Sandbox, *words: str) -> None:
    """Slack's last message has these words."""
    message = json.dumps(box.slack()[-1])
    assert all(word in message for word in words), (words, message)


def nobody_may_copy(box: Sandbox, story: Story) -> None:
    """The original is shared only while it is copied."""
    ec2 = box.client("ec2")
    for ami in story.eye.amis(story.table.home, story.image):
        shown = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")
        assert shown["LaunchPermissions"] == [], ami["ImageId"]


def test_an_instance_of_a_copy_in_the_other_account_would_start_and_has_the_tags(story: Story) -> None:
    place = (OTHER, SECOND)
    [good] = [a for a in story.eye.amis(place, "jdk") if tags(a)["bakeline:state"] == "released"]
    its = tags(good)
    assert {"bakeline:recipe", "bakeline:checks", "bakeline:run", "bakeline:by", "Name"} <= its.keys(), its
    assert "bakeline:expires" not in its
    snapshots = [m["Ebs"]["SnapshotId"] for m in good["BlockDeviceMappings"] if "Ebs" in m]
    [snapshot] = story.eye.client("ec2", place).describe_snapshots(SnapshotIds=snapshots)["Snapshots"]
    assert tags(snapshot)["bakeline:state"] == "released"
    assert "bakeline:expires" not in tags(snapshot)


def test_a_region_that_fails_is_said_the_others_finish_and_a_rerun_completes(box: Sandbox, story: Story) -> None:
    three = story.release("--force")
    box.control("copies", {"seconds": 1, "fail": "Client.InvalidKey: the key is gone", "region": SECOND, "times": 2})
    said = story.catalog.bakeline("promote", "jdk", "--to", "Prod", want=4)
    assert SECOND in said.err and "the key is gone" in said.err, said
    before = story.table.copy()
    story.table.promote(three, "Prod")
    for place in story.table.cells:
        wanted = before if place[1] == SECOND else story.table
        assert story.eye.view(place, "jdk") == wanted.view(place), place
        assert story.eye.halves(place, "jdk") == [], "a failed copy is taken away"
    sick = story.catalog.bakeline("doctor", want=5)
    assert SECOND in sick.out and "promote jdk --to Prod" in sick.out, sick
    mark = box.mark()
    story.do("promote", "jdk", "--to", "Prod")
    copied = [call["region"] for call in box.api(mark) if call["action"] == "CopyImage"]
    assert copied == [SECOND, SECOND], "what is there is left"
    story.agree()
    story.do("doctor")


def test_a_promotion_that_may_not_be_changes_nothing(box: Sandbox, story: Story) -> None:
    mark = box.mark()
    for words, said in [
        (["promote", "jdk", "--to", "Test"], "lowest environment"),
        (["rollback", "jdk", "--env", "Prod", "--to", "20200101.1"], "no version 20200101.1"),
        (["revoke", "jdk", "20200101.1"], "no version 20200101.1"),
        (["hold", "jdk", "20200101.1"], "no version 20200101.1"),
    ]:
        done = story.catalog.bakeline(*words, want=7)
        assert said in done.err, done
    assert [c for c in box.changes(mark) if c != "AssumeRole"] == []
    story.agree()


class Torn(Written):
    """Images whose history is written straight into the cloud, one for each kill."""

    def kill_at(self, nth: int, *words: str) -> bool:
        """Start, and SIGKILL while the `nth` call that changes something is on its way: an odd one never arrives, an
        even one is performed and nobody hears of it. Whether it was killed in time."""
        lost = "InternalError" if nth % 2 else ""
        self.box.control("faults", {"faults": [{"action": "*", "code": lost, "after": nth - 1, "delay": HANG}]})
        started: subprocess.Popen[bytes] = self.catalog.start(*words)
        try:
            until(lambda: self.held() or started.poll() is not None, HANG, f"change {nth}", every=0.02)
        finally:
            started.kill()
            code = started.wait(timeout=HANG)
            self.box.control("faults", {"faults": []})
        until(lambda: not self.held(), HANG, "the last call's end", every=0.02)
        return code == -9

    def held(self) -> list[object]:
        return list(self.box.control("faults")["held"])


@pytest.fixture(scope="module")
def torn(box: Sandbox, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Torn:
    return Torn(box, make(box, tmp_path_factory.mktemp("torn"), "torn"))


def command(kind: str, image: str) -> list[str]:
    """The command that is killed, and that completes the work when it is run again."""
    return {
        "promote": ["promote", image, "--to", "Prod"],
        "rollback": ["rollback", image, "--env", "Prod"],
        "revoke": ["revoke", image, TWO],
    }[kind]


def afterwards(kind: str, table: Table) -> Table:
    after = table.copy()
    if kind == "promote":
        after.promote(TWO, "Prod")
    elif kind == "rollback":
        after.rollback("Prod", ONE)
    else:
        after.revoke(TWO)
    return after


def allowed(kind: str, place: Place, before: Table, after: Table) -> list[View]:
    """A place is as it was or as it will be; a hold reaches all places first."""
    views = [before.view(place), after.view(place)]
    if kind == "rollback":
        held = before.copy()
        held.hold(TWO)
        views.append(held.view(place))
    return views


@pytest.mark.parametrize("kind", ["promote", "rollback", "revoke"])
def test_killed_in_the_middle_of_any_change_doctor_and_a_rerun_mend_it(torn: Torn, kind: str) -> None:
    name, table = torn.image(promoted=kind != "promote")
    mark = torn.box.mark()
    torn.catalog.bakeline(*command(kind, name), want=0)
    torn.eye.agree(afterwards(kind, table), name)
    changes = len([action for action in torn.box.changes(mark) if action != "AssumeRole"])
    assert changes >= 8
    torn_apart = 0
    # A revocation has many small steps of few kinds: every third of its changes.
    for nth in range(1, changes + 1, 3 if kind == "revoke" else 1):
        name, table = torn.image(promoted=kind != "promote")
        after = afterwards(kind, table)
        words = command(kind, name)
        assert torn.kill_at(nth, *words), f"{kind} ended before its change {nth} of {changes}"
        shown = {place: torn.eye.view(place, name) for place in table.cells}
        torn_apart += not all(shown[place] in (table.view(place), after.view(place)) for place in shown)
        done = torn.catalog.bakeline("doctor", "--apply", "--json")
        assert done.code in (0, 5), done
        for place in table.cells:
            view = torn.eye.view(place, name)
            assert view in allowed(kind, place, table, after), f"{kind} killed at change {nth}, {place}: {done}"
            for half in torn.eye.halves(place, name):
                assert "bakeline:expires" in tags(half), half
        torn.catalog.bakeline(*words, want=0)
        torn.eye.agree(after, name)
        assert not [half for place in table.cells for half in torn.eye.halves(place, name)]
        findings = json.loads(torn.catalog.bakeline("doctor", "--json", want=0).out)
        assert [one for one in findings if not one.get("lost")] == [], "nobody has evidence of what nobody built"
    assert torn_apart, "no kill ever left a place between two states: the doctor had nothing to do"
