"""Promotions and rollbacks that fail or are repeated, in four locations of two accounts. The oracle reads tags and SSM parameters
with boto3 in every location."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from judge.catalog import tags
from judge.run import HANG, until
from judge.sandbox import Sandbox
from judge.state import OTHER, OWN
from judge.written import ONE, TWO, Written, make


@pytest.fixture(scope="module")
def written(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Written:
    at: Path = tmp_path_factory.mktemp("moves")
    return Written(box, make(box, at, "moves"))


@pytest.fixture(autouse=True)
def no_faults(box: Sandbox) -> Iterator[None]:
    yield
    box.control("faults", {"faults": []})


FAULTS = {
    "denied": {"code": "AccessDeniedException", "status": 400},
    "throttled": {"code": "ThrottlingException", "status": 400},
    "outage": {"code": "InternalServerError", "status": 500},
    "proxy page": {"status": 503, "body": "<html>try again</html>"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_failing_put_parameter_leaves_every_location_as_it_was(written: Written, command: str, fault: str) -> None:
    image, table = written.image(promoted=command == "rollback")
    words = {"promote": ["promote", image, "--to", "Prod"], "rollback": ["rollback", image, "--env", "Prod"]}[command]
    written.box.control("faults", {"faults": [{"action": "PutParameter", "times": 10_000, **FAULTS[fault]}]})
    mark = written.box.mark()
    done = written.catalog.bakeline(*words, want=4)
    assert "PutParameter" in done.err, done
    assert [call for call in written.box.api(mark) if call["action"] == "PutParameter"], "the fault took effect"
    written.box.control("faults", {"faults": []})
    written.eye.agree(table, image)
    written.catalog.bakeline("doctor", "--apply", want=0)
    written.eye.agree(table, image)
    written.catalog.bakeline(*words, want=0)
    table.promote(TWO, "Prod") if command == "promote" else table.rollback("Prod", ONE)
    written.eye.agree(table, image)


def test_repeated_rollback_changes_nothing(written: Written) -> None:
    image, table = written.image(promoted=True)
    words = ("rollback", image, "--env", "Prod")
    written.catalog.bakeline(*words, want=0)
    table.rollback("Prod", ONE)
    written.eye.agree(table, image)
    for _ in range(2):
        mark = written.box.mark()
        done = written.catalog.bakeline(*words, want=0)
        assert f"rolled back from {TWO} already" in done.err and "--to" in done.err, done
        assert [action for action in written.box.changes(mark) if action != "AssumeRole"] == [], done
        written.eye.agree(table, image)


def test_rollback_after_a_new_promotion_goes_back_again(written: Written) -> None:
    image, table = written.image(promoted=True)
    written.catalog.bakeline("rollback", image, "--env", "Prod", want=0)
    written.catalog.bakeline("hold", image, TWO, "--release-hold", want=0)
    written.catalog.bakeline("promote", image, "--to", "Prod", want=0)
    table.rollback("Prod", ONE)
    table.hold(TWO, "released")
    table.promote(TWO, "Prod")
    written.eye.agree(table, image)
    written.catalog.bakeline("rollback", image, "--env", "Prod", want=0)
    table.rollback("Prod", ONE)
    written.eye.agree(table, image)
    for place in table.cells:
        for ami in written.eye.amis(place, image):
            version, marked = tags(ami)["bakeline:version"], "bakeline:rolled-back" in tags(ami)
            assert marked == (version == TWO and "Prod" in tags(ami)["bakeline:rolled-back"]), tags(ami)


def shared(written: Written, image: str) -> dict[str, object]:
    """The permissions of the other account on the original, and the tag that records them."""
    home = (OWN, written.box.region)
    [ami] = [a for a in written.eye.amis(home, image) if tags(a)["bakeline:version"] == TWO]
    ec2, snapshot = written.box.client("ec2"), ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    launch = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")["LaunchPermissions"]
    asked = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    volume = ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"]
    found = {"image": launch, "snapshot": volume, "tag": tags(ami).get(f"bakeline:sharing:{OTHER}")}
    return {kind: what for kind, what in found.items() if what}


@pytest.mark.parametrize("repair", [("sweep", "--apply"), ("doctor", "--apply")], ids=" ".join)
def test_copy_permission_of_a_killed_promotion_is_removed(written: Written, repair: tuple[str, ...]) -> None:
    image, _ = written.image(promoted=False)
    assert shared(written, image) == {}
    written.box.control("copies", {"seconds": HANG, "times": 3})
    started = written.catalog.start("promote", image, "--to", "Prod")
    try:
        copying = lambda: [c for c in written.box.api() if c["action"] == "CopyImage" and OTHER in str(c["caller"])]
        until(lambda: copying() and len(shared(written, image)) == 3, HANG, "the original shared")
        listed = written.catalog.bakeline("sweep", "--json", want=0).out
        assert '"copy-permission"' in listed and "is active" in listed, "a live run keeps it"
        written.catalog.bakeline("sweep", "--apply", want=0)
        assert len(shared(written, image)) == 3
    finally:
        started.kill()
        started.wait(timeout=HANG)
    if repair[0] == "doctor":
        said = written.catalog.bakeline("doctor", want=5)
        assert f"account {OTHER} may still copy" in said.out, said
    written.catalog.bakeline(*repair)
    assert shared(written, image) == {}


@pytest.mark.parametrize("fault", ["throttled", "outage", "proxy page"])
def test_failing_reads_while_copies_are_pending_keep_the_copies(written: Written, fault: str) -> None:
    """Eight reads in a row fail: two rounds of the four tries that the SDK makes."""
    image, table = written.image(promoted=False)
    written.box.control("copies", {"seconds": 8, "times": 3})
    mark, started = written.box.mark(), written.catalog.start("promote", image, "--to", "Prod")
    copied = lambda: [call for call in written.box.api(mark) if call["action"] == "CopyImage"]
    until(lambda: len(copied()) == 3 or started.poll() is not None, HANG, "three copies", every=0.02)
    code = {"code": "RequestLimitExceeded", "status": 503} if fault == "throttled" else FAULTS[fault]
    reads = {"action": "DescribeImages", "account": OTHER, "times": 8, **code}
    written.box.control("faults", {"faults": [reads]})
    since = written.box.mark()
    assert started.wait(timeout=HANG) == 0, (written.catalog.at / "out.log").read_text()
    failed = [call for call in written.box.api(since) if call["action"] == "DescribeImages" and call["status"] >= 400]
    assert len(failed) == 8, "the fault took effect"
    assert len(copied()) == 3, "no copy was made again"
    table.promote(TWO, "Prod")
    written.eye.agree(table, image)


@pytest.mark.parametrize("tries", [None, 2, 7])
def test_number_of_tries_comes_from_the_environment(written: Written, tries: int | None) -> None:
    written.box.control("faults", {"action": "DescribeImages", "code": "InternalError", "times": 100})
    env = {"AWS_MAX_ATTEMPTS": str(tries)} if tries else {}
    mark = written.box.mark()
    done = written.catalog.bakeline("list", env=env)
    assert done.code != 0 and "DescribeImages" in done.err, done
    assert len([call for call in written.box.api(mark) if call["action"] == "DescribeImages"]) == (tries or 4)
