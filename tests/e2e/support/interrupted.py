"""Kills commands in the middle of a change, and recovers their runs in another working directory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .catalog import Catalog
from .run import BAKELINE, HANG, CompletedRun, run, wait_until
from .sandbox import Sandbox
from .seeded_history import ONE, TWO, SeededHistory
from .state import ExpectedState

Kill = Callable[["subprocess.Popen[bytes]"], None]


def held_calls(sandbox: Sandbox) -> list[object]:
    return list(sandbox.control("faults")["held"])


def kill_during(
    catalog: Catalog, words: tuple[str, ...], nth: int, action: str = "*", kill: Kill = subprocess.Popen.kill
) -> bool:
    """Starts a command and kills it during the `nth` call of an action, or that changes something: odd calls are lost, even
    ones are performed without an answer. Returns whether it was killed in time."""
    sandbox, lost = catalog.sandbox, "InternalError" if nth % 2 else ""
    sandbox.control("faults", {"faults": [{"action": action, "code": lost, "after": nth - 1, "delay": HANG}]})
    started = catalog.start(*words)
    try:
        wait_until(lambda: held_calls(sandbox) or started.poll() is not None, HANG, f"call {nth}", every=0.02)
    finally:
        kill(started)
        code = started.wait(timeout=HANG)
        sandbox.control("faults", {"faults": []})
    wait_until(lambda: not held_calls(sandbox), HANG, "the last call's end", every=0.02)
    return code == -9


def newest_run(catalog: Catalog) -> dict[str, Any]:
    """Returns the newest run as a directory without its files sees it: the store may lack the last lines of its journal."""
    words = [BAKELINE, "-C", str(catalog.at), "runs", "--json"]
    rows: list[dict[str, Any]] = json.loads(run(words, catalog.at.parent, catalog.env, want=0).out)
    return rows[0] if rows else {"run": None}


def recover(catalog: Catalog, at: Path, goal: str, dead: str) -> CompletedRun:
    """Runs `resume` or `abort` in a directory that shares only the store."""
    at.mkdir(exist_ok=True)
    return run([BAKELINE, "-C", str(catalog.at), goal, dead], at, catalog.env)


class InterruptedHistory(SeededHistory):
    """Images whose history is written directly into the cloud, one for each kill."""

    def kill_at(self, nth: int, *words: str, action: str = "*") -> bool:
        """Kills a command as `kill_during` does."""
        return kill_during(self.catalog, words, nth, action)


def command(kind: str, image: str) -> list[str]:
    """Returns the command that is killed."""
    return {
        "promote": ["promote", image, "--to", "Prod"],
        "rollback": ["rollback", image, "--env", "Prod"],
        "revoke": ["revoke", image, TWO, "--apply"],
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
