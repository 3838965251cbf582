"""Removes actions from the printed roles, one at a time, and judges whether a command names the missing one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .enforced_roles import DENIALS, EnforcedRoles
from .run import CompletedRun
from .sample import select_cases
from .state import OWN

Situation = Callable[[EnforcedRoles], Iterator[CompletedRun]]


@dataclass(frozen=True)
class MissingAction:
    """An action of a role at home or in the accounts of the environments."""

    account: str
    action: str

    def role(self, enforced: EnforcedRoles, purpose: str) -> dict[str, Any]:
        """Returns the role that the commands of a purpose use there."""
        roles = [role for role in enforced.roles if purpose in role["purposes"]]
        [found] = [role for role in roles if self.account == _account_of(role)]
        return found

    def is_named(self, done: CompletedRun) -> bool:
        """Returns whether the output has a line with a denial and the name of the action. Tables have wrapped lines.

        EC2 does not name the action that is missing for a KMS key.
        """
        if self.action.startswith("kms:") and "key ID is not accessible" in done.err:
            return True
        name = re.compile(rf"(?<![A-Za-z]){self.action.split(':')[1]}(?![A-Za-z])")
        texts = [" ".join(done.out.split()), *done.err.splitlines()]
        return any(name.search(text) and any(word in text for word in DENIALS) for text in texts)


def _account_of(role: dict[str, Any]) -> str:
    return "environments" if role["accounts"] else "home"


def list_actions(enforced: EnforcedRoles, purpose: str) -> list[MissingAction]:
    """Returns all actions that a purpose needs."""
    return [
        MissingAction(_account_of(role), action)
        for role in enforced.printed("iam", "--role", purpose)
        for action in sorted({a for policy in role["policies"] for s in policy["Statement"] for a in s["Action"]})
    ]


# A situation ends after the first command that names the missing action, so everything that it changes is undone on exit.


@contextmanager
def setting(
    enforced: EnforcedRoles, name: str, value: dict[str, Any], reset: dict[str, Any] | None = None
) -> Iterator[None]:
    """Sets a condition of the local EC2."""
    enforced.sandbox.control(name, value)
    try:
        yield
    finally:
        enforced.sandbox.control(name, reset or {})


@contextmanager
def faults(enforced: EnforcedRoles, *calls: Mapping[str, Any]) -> Iterator[None]:
    """Makes calls fail for good, each of one action."""
    failing = [{"code": "InvalidRequest", "status": 400, "times": 99, **call} for call in calls]
    enforced.sandbox.control("faults", {"faults": failing})
    try:
        yield
    finally:
        enforced.sandbox.control("faults", {"faults": []})


Calls = dict[Situation, set[MissingAction]]
# Without it, errors only lack the statement that denies an action (tests/e2e/api/test_denials.py).
EXPLANATION = "sts:DecodeAuthorizationMessage"
# Services whose calls the API log shows with the names of the actions.
LOGGED = ("ec2", "ssm", "autoscaling")


def record_calls(enforced: EnforcedRoles, situations: Sequence[Situation]) -> Calls:
    """Asserts that the printed policies allow all calls of the situations, and returns the called actions."""
    calls: Calls = {}
    for situation in situations:
        mark = enforced.sandbox.mark()
        for done in situation(enforced):
            assert not any(word in done.err for word in DENIALS), done
        calls[situation] = {
            MissingAction("home" if call["account"] == OWN else "environments", f"{call['service']}:{call['action']}")
            for call in enforced.sandbox.api(mark)
            if ":assumed-role/bakeline" in call["caller"]
        }
    return calls


def find_failure(
    enforced: EnforcedRoles,
    purpose: str,
    missing: MissingAction,
    calls: Calls,
    optional: Collection[MissingAction] = (),
) -> str:
    """Returns what is wrong with the commands if the action is missing, or an empty text."""
    is_logged = missing.action.split(":")[0] in LOGGED and any(missing in called for called in calls.values())
    situations = [situation for situation, called in calls.items() if missing in called or not is_logged]
    warning, outputs = "no command names it", []
    with enforced.removed(missing.role(enforced, purpose), missing.action):
        for done in (done for situation in situations for done in situation(enforced)):
            if missing.is_named(done):
                if done.code != 0 or missing in optional:
                    return ""
                warning = f"no command fails; a warning names it: {done}"
            outputs.append(f"exit {done.code}: {done.err[-2000:]}")
    return "\n".join([warning, *outputs])


def assert_missing_actions_are_named(
    enforced: EnforcedRoles,
    purpose: str,
    calls: Calls,
    sample: int,
    optional: Collection[MissingAction] = (),
    skipped: Collection[str] = (),
) -> None:
    """Asserts it for all actions of a purpose, or for a sample. Without an optional action, a command may print a warning
    and go on."""
    wrong = []
    cases = [missing for missing in list_actions(enforced, purpose) if missing.action not in (*skipped, EXPLANATION)]
    for missing in select_cases(f"missing action of {purpose}", cases, sample):
        if failure := find_failure(enforced, purpose, missing, calls, optional):
            wrong.append(f"{missing}: {failure}")
            print(wrong[-1])
    assert not wrong, "\n".join(wrong)
