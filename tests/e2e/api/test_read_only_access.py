"""Commands that change nothing enter other accounts without the permission to change anything. The judge is the API log
of the local EC2: role, policy, external ID and name of each session. botocore knows which actions exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.catalog import Catalog
from support.sandbox import READING, Sandbox
from support.seeded_history import ONE, ROLE, SECOND, TWO, SeededHistory
from support.state import OTHER, OWN

READ_ROLE = f"arn:aws:iam::{OTHER}:role/team/bakeline-read"
EXTERNAL_ID = "acme/7"
READS = {
    "plan": ("plan", "IMAGE"),
    "why": ("why", "IMAGE"),
    "explain": ("explain", "IMAGE"),
    "doctor": ("doctor",),
    "prune": ("prune",),
    "sweep": ("sweep",),
    "revoke": ("revoke", "IMAGE", TWO),
}
CHANGES = {
    "promote": ("promote", "IMAGE", "--to", "Prod"),
    "hold": ("hold", "IMAGE", TWO),
    "rollback": ("rollback", "IMAGE", "--env", "Prod", "--to", ONE),
    "revoke": ("revoke", "IMAGE", TWO, "--apply"),
    "doctor": ("doctor", "--apply"),
    "sweep": ("sweep", "--apply"),
    "prune": ("prune", "--apply", "--percent", "100"),
}


def create_history(sandbox: Sandbox, at: Path, **environment: str) -> SeededHistory:
    """Creates a catalog whose second environment is in another account."""
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE, "external_id": EXTERNAL_ID, **environment}
    ladder = [{"name": "Test", "regions": [sandbox.region]}, prod]
    catalog = Catalog(sandbox, at, "access", regions=[sandbox.region, SECOND], environments=ladder)
    catalog.file("scripts/mark.sh", "echo x > /etc/x\n")
    return SeededHistory(sandbox, catalog)


@pytest.fixture
def history(sandbox: Sandbox, tmp_path: Path) -> SeededHistory:
    sandbox.reset()
    return create_history(sandbox, tmp_path / "access")


def run(history: SeededHistory, words: tuple[str, ...]) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Runs a command, and returns the parameters of its AssumeRole calls and its calls in the other account."""
    image, _ = history.image(promoted="rollback" in words)
    mark = history.sandbox.mark()
    done = history.catalog.bakeline(*(image if word == "IMAGE" else word for word in words))
    assert done.code in (0, 5, 6), done
    calls = history.sandbox.api(mark)
    sessions = [call["resources"] for call in calls if call["action"] == "AssumeRole"]
    assert sessions, f"no session: {done}"
    return sessions, [call for call in calls if call["account"] == OTHER]


@pytest.mark.parametrize("command", READS)
def test_reading_command_limits_the_session_of_the_changing_role(history: SeededHistory, command: str) -> None:
    sessions, calls = run(history, READS[command])
    assert calls, "the command reads the other account"
    for session in sessions:
        assert session["RoleArn"] == ROLE
        assert session["ExternalId"] == EXTERNAL_ID
        assert session["RoleSessionName"] == f"bakeline-{command}"
        [statement] = json.loads(session["Policy"])["Statement"]
        assert statement["Effect"] == "Allow" and statement["Resource"] == "*"
        for name in statement["Action"]:
            service, action = name.split(":")
            assert action.startswith(READING), name
            assert action in boto3.client(service, region_name="eu-west-1").meta.service_model.operation_names
        made = {f"{call['service']}:{call['action']}" for call in calls}
        assert made <= set(statement["Action"]), "the session may do what the command needs"


@pytest.mark.parametrize("command", READS)
def test_reading_command_assumes_the_reading_role(sandbox: Sandbox, tmp_path: Path, command: str) -> None:
    sandbox.reset()
    sessions, calls = run(create_history(sandbox, tmp_path / "access", read_role=READ_ROLE), READS[command])
    assert calls
    for session in sessions:
        assert session["RoleArn"] == READ_ROLE and "Policy" not in session, session
        assert session["ExternalId"] == EXTERNAL_ID
        assert session["RoleSessionName"] == f"bakeline-{command}"
    assert all(f":assumed-role/bakeline-read/bakeline-{command}" in call["caller"] for call in calls)


@pytest.mark.parametrize("read_role", [True, False], ids=["read_role", "role only"])
@pytest.mark.parametrize("command", CHANGES)
def test_changing_command_assumes_the_changing_role(
    sandbox: Sandbox, tmp_path: Path, command: str, read_role: bool
) -> None:
    sandbox.reset()
    more = {"read_role": READ_ROLE} if read_role else {}
    history = create_history(sandbox, tmp_path / "access", **more)
    sessions, _ = run(history, CHANGES[command])
    names = {session["RoleSessionName"] for session in sessions}
    for session in sessions:
        assert session["RoleArn"] == ROLE and "Policy" not in session, session
        assert session["ExternalId"] == EXTERNAL_ID
    runs = {f"bakeline-{run.name}" for run in history.catalog.runs()}
    assert len(names) == 1 and (names == runs or not runs), "the run ID is the name of the session"


def test_every_call_has_the_name_of_bakeline(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    sandbox.client("s3").create_bucket(
        Bucket="acme-store", CreateBucketConfiguration={"LocationConstraint": sandbox.region}
    )
    history = create_history(sandbox, tmp_path / "access")
    settings = json.loads((history.catalog.at / "bakeline.yaml").read_text())
    history.catalog.file("bakeline.yaml", json.dumps({**settings, "store": {"s3": {"bucket": "acme-store"}}}))
    image, _ = history.image(promoted=False)
    for words, env, name in (
        (("promote", image, "--to", "Prod"), {}, "bakeline-"),
        (("plan",), {}, "bakeline-"),
        (("plan",), {"AWS_SDK_UA_APP_ID": "team-7"}, "team-7"),
    ):
        mark = sandbox.mark()
        history.catalog.bakeline(*words, env=env, want=0)
        calls = sandbox.api(mark)
        expected = {"ec2", "sts", "s3"} | ({"ssm"} if words[0] == "promote" else set())
        assert expected <= {call["service"] for call in calls}
        for call in calls:
            agent = "bakeline/" if call["service"] == "s3" else f"app/{name}"
            assert agent in call["user_agent"], call
