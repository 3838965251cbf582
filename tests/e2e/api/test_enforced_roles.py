"""With the policies that `bakeline permissions` prints, and nothing else, each command works. The local EC2 enforces the roles:
actions, resources, tags, Regions, trust policies and external IDs.

Each action of each role is also removed, one at a time: a command must then fail and name the action. CI tries a sample, and
`make matrix` tries every action. `test_enforced_build.py` does the same for releases.
"""

from __future__ import annotations

import json

import pytest
from role_situations import OPTIONAL, SITUATIONS
from support.enforced_roles import DENIALS, WRITE, EnforcedRoles, create_enforced_roles
from support.missing_actions import Calls, assert_missing_actions_are_named, list_actions, record_calls
from support.sandbox import Sandbox
from support.seeded_history import TWO, initial_state

SAMPLE = 2
CHANGES = (
    ["promote", "IMAGE", "--to", "Prod"],
    ["rollback", "IMAGE", "--env", "Prod"],
    ["hold", "IMAGE", TWO, "--release-hold"],
    ["revoke", "IMAGE", TWO, "--apply"],
    ["doctor", "--apply"],
    ["prune", "--apply", "--keep", "1"],
    ["sweep", "--apply"],
)


@pytest.fixture(scope="module")
def enforced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> EnforcedRoles:
    enforced = create_enforced_roles(
        sandbox,
        tmp_path_factory.mktemp("enforced") / "catalog",
        environment={"kms_key": "alias/copies"},
        retention={"keep": 1, "reserve": 1, "disable_after": "0s"},
    )
    for place in initial_state(sandbox).cells:
        kms = enforced.history.observer.client("kms", place)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/copies", TargetKeyId=key)
    return enforced


@pytest.fixture(scope="module")
def calls(enforced: EnforcedRoles) -> dict[str, Calls]:
    """Returns the calls of all situations, in which no call is denied."""
    return {purpose: record_calls(enforced, situations) for purpose, situations in SITUATIONS.items()}


@pytest.mark.parametrize("purpose", SITUATIONS)
def test_commands_work_with_the_printed_policies(calls: dict[str, Calls], purpose: str) -> None:
    for situation, called in calls[purpose].items():
        assert {action.account for action in called} == {"home", "environments"}, situation


def test_read_role_changes_nothing(enforced: EnforcedRoles) -> None:
    history = enforced.history
    image, table = enforced.image()
    mark = history.sandbox.mark()
    for words in CHANGES:
        done = enforced.run("read", *(image if word == "IMAGE" else word for word in words))
        assert any(word in done.err for word in DENIALS), done
        assert done.code != 0, done
    succeeded = {call["action"] for call in history.sandbox.api(mark) if call["status"] < 400}
    assert not succeeded & set(history.sandbox.changes(mark)) - {"AssumeRole"}, succeeded
    history.observer.assert_matches(table, image)


@pytest.mark.parametrize("action", ["ec2:CopyImage", "ssm:PutParameter"])
def test_command_succeeds_when_the_permission_is_granted(enforced: EnforcedRoles, action: str) -> None:
    """The action is removed from the role in the other account only, so the locations at home are promoted."""
    history = enforced.history
    image, table = enforced.image()
    [role] = [r for r in enforced.roles if r["accounts"] and r["name"] == "bakeline"]
    with enforced.removed(role, action):
        done = enforced.run("promote", "promote", image, "--to", "Prod")
        assert done.code in (4, 5, 7) and action.split(":")[1] in done.err, done
    done = enforced.run("promote", "promote", image, "--to", "Prod")
    assert done.code == 0, done
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)


def missing_in_preflight(enforced: EnforcedRoles) -> dict[str, str]:
    """Returns what `preflight` reports as missing to the build role, with the causes. Tools of this host do not matter."""
    done = enforced.run("build", "preflight", "base", "--json")
    found = [check for check in json.loads(done.out)["checks"] if check["group"] != "tools"]
    assert {check["object"] for check in found} >= {f"role {WRITE}", "ec2:RunInstances", "ec2:CreateKeyPair"}, done
    return {check["object"]: check["cause"] for check in found if check["status"] == "missing"}


def test_preflight_has_the_printed_permissions_and_names_a_missing_one(enforced: EnforcedRoles) -> None:
    assert missing_in_preflight(enforced) == {}
    [role] = [r for r in enforced.roles if r["name"] == "bakeline-enforced-build"]
    for action in ("ec2:CreateKeyPair", "ec2:RunInstances"):
        with enforced.removed(role, action):
            [(name, cause)] = missing_in_preflight(enforced).items()
        assert name == action and f"not authorized to perform: {action}" in cause, cause


@pytest.mark.parametrize("purpose", SITUATIONS)
def test_missing_action_is_named(enforced: EnforcedRoles, calls: dict[str, Calls], purpose: str) -> None:
    # Commands that only read show what they can.
    optional = list_actions(enforced, purpose) if purpose == "read" else OPTIONAL[purpose]
    assert_missing_actions_are_named(enforced, purpose, calls[purpose], SAMPLE, optional)
