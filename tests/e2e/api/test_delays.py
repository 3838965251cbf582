"""EC2 shows new resources, permissions and parameters late. Runs must survive this, and an undo must remove what EC2 does not
show yet. boto3 looks after the delays are over."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.catalog import tags
from support.gateway import Gateway, Received, forward
from support.run import HANG, wait_until
from support.sandbox import Sandbox
from support.seeded_history import ONE, TWO, SeededHistory, create_catalog

DELAY = 3
FORBIDDEN = {"code": "UnauthorizedOperation", "status": 403}


@pytest.fixture(scope="module")
def history(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SeededHistory:
    at: Path = tmp_path_factory.mktemp("delays")
    return SeededHistory(sandbox, create_catalog(sandbox, at, "delays"))


@pytest.fixture(autouse=True)
def no_conditions(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.control("faults", {"faults": []})
    sandbox.control("visibility", {})
    sandbox.control("parameters", {"seconds": 0})


def calls(history: SeededHistory, mark: int, action: str) -> list[dict[str, Any]]:
    return [call for call in history.sandbox.api(mark) if call["action"] == action]


def leftovers(history: SeededHistory) -> dict[str, list[str]]:
    """Returns the temporary resources of the catalog that exist when all delays are over."""
    history.sandbox.control("settle", {})
    ec2 = history.sandbox.client("ec2")
    ours = [{"Name": "tag:bakeline:catalog", "Values": [history.catalog.name]}]
    live = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    reservations = ec2.describe_instances(Filters=ours + live)["Reservations"]
    found = {
        "instances": [i["InstanceId"] for r in reservations for i in r["Instances"]],
        "groups": [g["GroupId"] for g in ec2.describe_security_groups(Filters=ours)["SecurityGroups"]],
        "keys": [k["KeyName"] for k in ec2.describe_key_pairs(Filters=ours)["KeyPairs"]],
    }
    return {kind: ids for kind, ids in found.items() if ids}


def test_promotion_waits_for_new_copies_and_permissions(history: SeededHistory) -> None:
    image, table = history.image(promoted=False)
    delays = {"image": DELAY, "snapshot": DELAY, "tag": DELAY, "launch-permission": DELAY}
    history.sandbox.control("visibility", delays)
    mark = history.sandbox.mark()
    history.catalog.bakeline("promote", image, "--to", "Prod", want=0)
    refused = [call for call in calls(history, mark, "CopyImage") if call["status"] >= 400]
    assert refused, "the permission took effect late"
    history.sandbox.control("settle", {})
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


def test_next_command_sees_the_tags_of_the_last_one(history: SeededHistory) -> None:
    """Lists show new tags late, so a hold waits until they do. Otherwise the held version would be promoted."""
    image, table = history.image(promoted=False)
    history.sandbox.control("visibility", {"tag": DELAY})
    history.catalog.bakeline("hold", image, TWO, want=0)
    mark = history.sandbox.mark()
    done = history.catalog.bakeline("promote", image, "--to", "Prod", want=7)
    assert "held" in done.err + done.out, done
    assert [action for action in history.sandbox.changes(mark) if action != "AssumeRole"] == []
    table.hold(TWO)
    history.sandbox.control("settle", {})
    history.observer.assert_matches(table, image)


@pytest.mark.parametrize(
    ("action", "created"),
    [("AuthorizeSecurityGroupIngress", "CreateSecurityGroup"), ("DescribeInstances", "RunInstances")],
)
def test_undo_removes_resource_that_ec2_does_not_show_yet(history: SeededHistory, action: str, created: str) -> None:
    """`probe` launches an instance of the current version. The call after a creation is denied."""
    image, _ = history.image(promoted=False)
    history.sandbox.control("visibility", {"security-group": DELAY, "instance": 2 * DELAY})
    history.sandbox.control("faults", {"faults": [{"action": action, "times": 1, **FORBIDDEN}]})
    mark = history.sandbox.mark()
    done = history.catalog.bakeline("probe", image, want=4)
    assert action in done.err, done
    assert [call["status"] for call in calls(history, mark, created)] == [200], "the resource existed"
    assert leftovers(history) == {}, done


def test_group_and_rule_whose_answers_were_lost_are_used(history: SeededHistory) -> None:
    """The calls are performed, but the gateway answers 500. The SDK repeats them, and EC2 reports duplicates."""
    image, _ = history.image(promoted=False)
    endpoint = history.sandbox.env["AWS_ENDPOINT_URL"]
    lost = {"CreateSecurityGroup", "AuthorizeSecurityGroupIngress"}

    def lose_answer(received: Received) -> tuple[int, bytes] | None:
        action = dict(parse_qsl(received.body.decode("utf-8", "replace"))).get("Action")
        if action not in lost:
            return None
        lost.remove(action)
        assert forward(urlsplit(endpoint).netloc, received)[0] == 200
        return 500, b""

    history.sandbox.control("faults", {"faults": [{"action": "RunInstances", "times": 1, **FORBIDDEN}]})
    mark = history.sandbox.mark()
    with Gateway(endpoint, lose_answer) as gateway:
        done = history.catalog.bakeline("probe", image, env={"AWS_ENDPOINT_URL": gateway.url}, want=4)
    assert not lost and "RunInstances" in done.err and "Duplicate" not in done.err, done
    for action in ("CreateSecurityGroup", "AuthorizeSecurityGroupIngress"):
        assert [call["status"] for call in calls(history, mark, action)] == [200, 400], action
    assert leftovers(history) == {}


@pytest.mark.parametrize("first", [False, True], ids=["replaced", "new"])
def test_interrupted_promotion_restores_parameters_that_are_written_late(history: SeededHistory, first: bool) -> None:
    """AWS validates a parameter after its answer, so the accepted value shows after the interrupt."""
    image, table = history.image(promoted=False)
    name = f"/bakeline/{history.catalog.name}/{image}/Prod/x86_64"
    if first:
        for place in table.cells:
            history.observer.client("ssm", place).delete_parameter(Name=name)
            for ami in history.observer.amis(place, image):
                if tags(ami)["bakeline:version"] == ONE:
                    history.observer.client("ec2", place).deregister_image(ImageId=ami["ImageId"])
    history.sandbox.control("parameters", {"seconds": 2 * DELAY})
    mark = history.sandbox.mark()
    started = history.catalog.start("promote", image, "--to", "Prod")
    try:
        wait_until(lambda: calls(history, mark, "PutParameter") or started.poll() is not None, HANG, "a write")
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=HANG) == 130, (history.catalog.at / "out.log").read_text()
    finally:
        started.kill()
    time.sleep(3 * DELAY)
    for place in table.cells:
        found = history.observer.client("ssm", place).get_parameters(Names=[name])["Parameters"]
        assert len(found) == (0 if first else 1), f"{place}: {found}"
        for parameter in found:
            ec2 = history.observer.client("ec2", place)
            [ami] = ec2.describe_images(ImageIds=[parameter["Value"]])["Images"]
            assert tags(ami)["bakeline:version"] == ONE, f"{place} points at {ami}"
    if not first:
        history.observer.assert_matches(table, image)
