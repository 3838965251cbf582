"""Promotions and rollbacks that fail or are repeated, in four locations of two accounts. The oracle reads tags and SSM parameters
with boto3 in every location."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, tags
from support.run import BAKELINE, HANG, wait_until
from support.sandbox import Sandbox
from support.seeded_history import ONE, TWO, SeededHistory, create_catalog
from support.state import OTHER, OWN
from support.terminal import run_on_terminal

FULL = os.environ.get("BAKELINE_MATRIX") == "1"


@pytest.fixture(scope="module")
def history(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SeededHistory:
    at: Path = tmp_path_factory.mktemp("moves")
    return SeededHistory(sandbox, create_catalog(sandbox, at, "moves"))


@pytest.fixture(autouse=True)
def no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.control("faults", {"faults": []})


FAULTS = {
    "denied": {"code": "AccessDeniedException", "status": 400},
    "throttled": {"code": "ThrottlingException", "status": 400},
    "outage": {"code": "InternalServerError", "status": 500},
    "proxy page": {"status": 503, "body": "<html>try again</html>"},
}


# A fault that is repeated takes more than a minute, so CI runs it with one command only.
SLOW_CASES = [("rollback", "outage"), ("promote", "proxy page")]
CASES = [(command, fault) for fault in FAULTS for command in ("promote", "rollback")]


@pytest.mark.parametrize(("command", "fault"), [case for case in CASES if FULL or case not in SLOW_CASES])
def test_failing_put_parameter_leaves_every_location_as_it_was(
    history: SeededHistory, command: str, fault: str
) -> None:
    image, table = history.image(promoted=command == "rollback")
    words = {"promote": ["promote", image, "--to", "Prod"], "rollback": ["rollback", image, "--env", "Prod"]}[command]
    history.sandbox.control("faults", {"faults": [{"action": "PutParameter", "times": 10_000, **FAULTS[fault]}]})
    mark = history.sandbox.mark()
    done = history.catalog.bakeline(*words, want=4)
    assert "PutParameter" in done.err, done
    assert [call for call in history.sandbox.api(mark) if call["action"] == "PutParameter"], "the fault took effect"
    history.sandbox.control("faults", {"faults": []})
    history.observer.assert_matches(table, image)
    history.catalog.bakeline("doctor", "--apply", want=0)
    history.observer.assert_matches(table, image)
    history.catalog.bakeline(*words, want=0)
    table.promote(TWO, "Prod") if command == "promote" else table.rollback("Prod", ONE)
    history.observer.assert_matches(table, image)


def test_repeated_rollback_changes_nothing(history: SeededHistory) -> None:
    image, table = history.image(promoted=True)
    words = ("rollback", image, "--env", "Prod")
    history.catalog.bakeline(*words, want=0)
    table.rollback("Prod", ONE)
    history.observer.assert_matches(table, image)
    for _ in range(2):
        mark = history.sandbox.mark()
        done = history.catalog.bakeline(*words, want=0)
        assert f"rolled back from {TWO} already" in done.err and "--to" in done.err, done
        assert [action for action in history.sandbox.changes(mark) if action != "AssumeRole"] == [], done
        history.observer.assert_matches(table, image)


def test_rollback_after_a_new_promotion_goes_back_again(history: SeededHistory) -> None:
    image, table = history.image(promoted=True)
    history.catalog.bakeline("rollback", image, "--env", "Prod", want=0)
    history.catalog.bakeline("hold", image, TWO, "--release-hold", want=0)
    history.catalog.bakeline("promote", image, "--to", "Prod", want=0)
    table.rollback("Prod", ONE)
    table.hold(TWO, "released")
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)
    history.catalog.bakeline("rollback", image, "--env", "Prod", want=0)
    table.rollback("Prod", ONE)
    history.observer.assert_matches(table, image)
    for place in table.cells:
        for ami in history.observer.amis(place, image):
            version, marked = tags(ami)["bakeline:version"], "bakeline:rolled-back" in tags(ami)
            assert marked == (version == TWO and "Prod" in tags(ami)["bakeline:rolled-back"]), tags(ami)


@pytest.mark.parametrize("wanted", [None, ONE], ids=["newest", "given"])
def test_rollback_without_current_ami_uses_the_version_before(history: SeededHistory, wanted: str | None) -> None:
    """The current AMI of Prod is deregistered by hand in every location."""
    image, table = history.image(promoted=True)
    for place in table.cells:
        [ami] = [a for a in history.observer.amis(place, image) if tags(a)["bakeline:version"] == TWO]
        history.observer.client("ec2", place).deregister_image(ImageId=ami["ImageId"])
    pointer = f"/bakeline/{history.catalog.name}/{image}/Prod/x86_64"
    read = lambda place: history.observer.client("ssm", place).get_parameter(Name=pointer)["Parameter"]["Value"]
    before = {place: read(place) for place in table.cells}
    done = history.catalog.bakeline("doctor", "--apply", want=5)
    assert f"bakeline rollback {image} --env Prod" in done.err, done
    assert {place: read(place) for place in table.cells} == before, "doctor deletes no pointer that rollback repairs"
    found = history.catalog.bakeline("latest", image, "--env", "Prod", want=6)
    assert found.out == "" and "does not exist" in found.err, found
    history.catalog.bakeline("rollback", image, "--env", "Prod", *(["--to", wanted] if wanted else []), want=0)
    for place in table.cells:
        [ami] = history.observer.amis(place, image)
        assert tags(ami)["bakeline:version"] == ONE and "Prod=" in tags(ami)["bakeline:current"], tags(ami)
        assert read(place) == ami["ImageId"]
    assert history.catalog.bakeline("latest", image, "--env", "Prod", want=0).out.strip() == read(table.home)
    mark = history.sandbox.mark()
    done = history.catalog.bakeline("rollback", image, "--env", "Prod", want=0)
    assert f"returned to {ONE} already" in done.err, done
    assert [action for action in history.sandbox.changes(mark) if action != "AssumeRole"] == []
    history.catalog.bakeline("rollback", image, "--env", "Test", want=0)
    history.catalog.bakeline("doctor", want=0)


def sharing_of(history: SeededHistory, image: str) -> dict[str, object]:
    """Returns the permissions of the other account on the original, and the tag that records them."""
    home = (OWN, history.sandbox.region)
    [ami] = [a for a in history.observer.amis(home, image) if tags(a)["bakeline:version"] == TWO]
    ec2, snapshot = history.sandbox.client("ec2"), ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    launch = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")["LaunchPermissions"]
    asked = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    volume = ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"]
    found = {"image": launch, "snapshot": volume, "tag": tags(ami).get(f"bakeline:sharing:{OTHER}")}
    return {kind: what for kind, what in found.items() if what}


@pytest.mark.parametrize("repair", [("sweep", "--apply"), ("doctor", "--apply")], ids=" ".join)
def test_copy_permission_of_a_killed_promotion_is_removed(history: SeededHistory, repair: tuple[str, ...]) -> None:
    image, _ = history.image(promoted=False)
    assert sharing_of(history, image) == {}
    history.sandbox.control("copies", {"seconds": HANG, "times": 3})
    started = history.catalog.start("promote", image, "--to", "Prod")
    try:
        copying = lambda: [c for c in history.sandbox.api() if c["action"] == "CopyImage" and OTHER in str(c["caller"])]
        wait_until(lambda: copying() and len(sharing_of(history, image)) == 3, HANG, "the original shared")
        listed = history.catalog.bakeline("sweep", "--json", want=0).out
        assert '"copy-permission"' in listed and "is active" in listed, "a live run keeps it"
        history.catalog.bakeline("sweep", "--apply", want=0)
        assert len(sharing_of(history, image)) == 3
    finally:
        started.kill()
        started.wait(timeout=HANG)
    if repair[0] == "doctor":
        said = history.catalog.bakeline("doctor", want=5)
        assert f"account {OTHER} may still copy" in said.out, said
    history.catalog.bakeline(*repair)
    assert sharing_of(history, image) == {}


@pytest.mark.parametrize("fault", ["throttled", "outage", "proxy page"])
def test_failing_reads_while_copies_are_pending_keep_the_copies(history: SeededHistory, fault: str) -> None:
    """Eight consecutive reads fail: two rounds of the SDK's four tries."""
    image, table = history.image(promoted=False)
    history.sandbox.control("copies", {"seconds": 8, "times": 3})
    mark, started = history.sandbox.mark(), history.catalog.start("promote", image, "--to", "Prod")
    copied = lambda: [
        call for call in history.sandbox.api(mark) if call["action"] == "CopyImage" and call["status"] < 400
    ]
    wait_until(lambda: len(copied()) == 3 or started.poll() is not None, HANG, "three copies", every=0.02)
    code = {"code": "RequestLimitExceeded", "status": 503} if fault == "throttled" else FAULTS[fault]
    reads = {"action": "DescribeImages", "account": OTHER, "times": 8, **code}
    since = history.sandbox.mark()
    history.sandbox.control("faults", {"faults": [reads]})
    assert started.wait(timeout=HANG) == 0, (history.catalog.at / "out.log").read_text()
    failed = [
        call for call in history.sandbox.api(since) if call["action"] == "DescribeImages" and call["status"] >= 400
    ]
    assert len(failed) == 8, "the fault took effect"
    assert len(copied()) == 3, "a copy was repeated"
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


@pytest.mark.parametrize(("words", "parallel"), [((), 3), (("--jobs", "2"), 2)], ids=["default", "jobs"])
def test_promotion_copies_to_all_locations_at_the_same_time(
    history: SeededHistory, words: tuple[str, ...], parallel: int
) -> None:
    """No CopyImage is answered until as many are sent as `--jobs` allows. An unanswered call is repeated after 30 seconds."""
    image, table = history.image(promoted=False)
    history.sandbox.control("faults", {"faults": [{"action": "CopyImage", "delay": HANG, "times": 3}]})
    started = history.catalog.start("promote", image, "--to", "Prod", *words)
    held = lambda: len(history.sandbox.control("faults")["held"])
    try:
        wait_until(lambda: held() == parallel or started.poll() is not None, 25, f"{parallel} copies")
        if parallel < 3:
            time.sleep(1)
        assert held() == parallel
    finally:
        history.sandbox.control("faults", {"faults": []})
        assert started.wait(timeout=HANG) == 0, (history.catalog.at / "out.log").read_text()
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


@pytest.mark.parametrize("tries", [2, 7])
def test_number_of_tries_comes_from_the_environment(history: SeededHistory, tries: int) -> None:
    history.sandbox.control("faults", {"action": "DescribeImages", "code": "InternalError", "times": 100})
    mark = history.sandbox.mark()
    done = history.catalog.bakeline("list", env={"AWS_MAX_ATTEMPTS": str(tries)})
    assert done.code != 0 and "DescribeImages" in done.err, done
    assert len([call for call in history.sandbox.api(mark) if call["action"] == "DescribeImages"]) == tries


def test_parameter_of_another_type_is_refused_before_any_copy(history: SeededHistory) -> None:
    """AWS refuses to change the data type of a parameter, which a promotion would notice after its copies."""
    image, table = history.image(promoted=False)
    place = (OTHER, history.sandbox.region)
    name = f"/bakeline/{history.catalog.name}/{image}/Prod/x86_64"
    ssm = history.observer.client("ssm", place)
    value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    ssm.put_parameter(Name=name, Value=value, Type="String", DataType="text")
    mark = history.sandbox.mark()
    done = history.catalog.bakeline("promote", image, "--to", "Prod", want=7)
    assert name in done.err and OTHER in done.err and "aws ssm delete-parameter" in done.err, done
    assert [action for action in history.sandbox.changes(mark) if action != "AssumeRole"] == []
    ssm.delete_parameter(Name=name)
    history.catalog.bakeline("promote", image, "--to", "Prod", want=0)
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


def test_new_parameter_has_the_tags_of_the_builder(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = create_catalog(sandbox, tmp_path, "tagged", builder={"tags": {"cost-center": "4711"}})
    tagged = SeededHistory(sandbox, catalog)
    tagged.numbers = iter(range(1_000, 1_010))  # IDs of AMIs depend on the names of images.
    image, _ = tagged.image(promoted=False)
    place = (OTHER, sandbox.region)
    name = f"/bakeline/tagged/{image}/Prod/x86_64"
    ssm = tagged.observer.client("ssm", place)
    ssm.delete_parameter(Name=name)
    catalog.bakeline("promote", image, "--to", "Prod", want=0)
    found = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in found} == {"cost-center": "4711", "bakeline:catalog": "tagged"}


def test_group_of_a_run_allows_ssh_from_ipv6_ranges(sandbox: Sandbox, tmp_path: Path) -> None:
    """The instance of this local EC2 never answers, so the run is cancelled."""
    v4, v6 = "10.0.0.0/8", "2001:db8::/32"
    catalog = create_catalog(sandbox, tmp_path, "ranges", builder={"access": {"cidrs": [v4, v6]}})
    catalog.image("base", source=VENDOR, scripts=["scripts/mark.sh"])
    ec2 = sandbox.client("ec2")
    ours = [{"Name": "tag:bakeline:catalog", "Values": ["ranges"]}]
    started = catalog.start("release", "base")
    try:
        rules = lambda: [
            rule
            for group in ec2.describe_security_groups(Filters=ours)["SecurityGroups"]
            for rule in group["IpPermissions"]
        ]
        wait_until(lambda: rules() or started.poll() is not None, HANG, "the rule of the group")
        [rule] = rules()
        assert [found["CidrIp"] for found in rule["IpRanges"]] == [v4]
        assert [found["CidrIpv6"] for found in rule["Ipv6Ranges"]] == [v6]
    finally:
        started.terminate()
        started.wait(timeout=HANG)


def test_denied_role_is_reported_with_the_advice_for_permissions(history: SeededHistory) -> None:
    image, _ = history.image(promoted=False)
    denied = {"action": "AssumeRole", "code": "AccessDenied", "status": 403, "times": 10_000}
    history.sandbox.control("faults", {"faults": [denied]})
    done = history.catalog.bakeline("promote", image, "--to", "Prod", want=4)
    assert "AccessDenied" in done.err and "grant sts:AssumeRole on the role" in done.err, done


def test_table_of_doctor_fits_the_terminal(history: SeededHistory) -> None:
    image, table = history.image(promoted=True)
    for place in table.cells:
        name = f"/bakeline/{history.catalog.name}/{image}/Prod/x86_64"
        history.observer.client("ssm", place).delete_parameter(Name=name)
    plain = history.catalog.bakeline("doctor", want=5).out
    assert 70 < max(len(line) for line in plain.splitlines()) <= 80, plain
    shown = run_on_terminal([BAKELINE, "doctor"], history.catalog.at, history.sandbox.env, columns=100)
    lines = shown.splitlines()
    rows = [at for at, line in enumerate(lines) if line.startswith("LOCATION")]
    assert rows, shown
    ends = next(at for at, line in enumerate(lines) if line.startswith("error:"))
    assert max(len(line) for line in lines[rows[0] : ends]) <= 100, shown
