"""Kills commands in the middle of a change."""

from __future__ import annotations

import subprocess

from .run import HANG, wait_until
from .seeded_history import ONE, TWO, SeededHistory
from .state import ExpectedState


class InterruptedHistory(SeededHistory):
    """Images whose history is written directly into the cloud, one for each kill."""

    def kill_at(self, nth: int, *words: str, action: str = "*") -> bool:
        """Starts a command and kills it during the `nth` call of an action, or that changes something: odd calls are
        lost, even ones are performed without an answer. Returns whether it was killed in time."""
        lost = "InternalError" if nth % 2 else ""
        self.sandbox.control("faults", {"faults": [{"action": action, "code": lost, "after": nth - 1, "delay": HANG}]})
        started: subprocess.Popen[bytes] = self.catalog.start(*words)
        try:
            wait_until(lambda: self.held_calls() or started.poll() is not None, HANG, f"change {nth}", every=0.02)
        finally:
            started.kill()
            code = started.wait(timeout=HANG)
            self.sandbox.control("faults", {"faults": []})
        wait_until(lambda: not self.held_calls(), HANG, "the last call's end", every=0.02)
        return code == -9

    def held_calls(self) -> list[object]:
        return list(self.sandbox.control("faults")["held"])


def command(kind: str, image: str) -> list[str]:
    """Returns the command that is killed."""
    return {
        "promote": ["promote", image, "--to", "Prod"],
        "rollback": ["rollback", image, "--env", "Prod"],
        "revoke": ["revoke", image, TWO],
    }[kind]


def expected_after(kind: str, table: ExpectedState) -> ExpectedState:
    """Returns the state after the command."""
    after = table.copy()
    if kind == "promote":
        after.promote(TWO, "Prod")
    elif kind == "rollback":
        after.rollback("Prod", ONE)
    else:
        after.revoke(TWO)
    return after
