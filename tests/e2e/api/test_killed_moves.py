"""A SIGKILL during any change of a promotion, a rollback or a revocation, followed by `doctor` and a second attempt.

The oracle judges the tags and pointers of all locations. CI kills at a sample of the changes; `make matrix` kills at each.
"""

from __future__ import annotations

import json
import os

import pytest
from support.catalog import tags
from support.interrupted import InterruptedHistory, command, expected_after
from support.sandbox import Sandbox
from support.seeded_history import TWO, create_catalog
from support.state import ExpectedState, Location, LocationView

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
# Odd, so that a sample contains changes that are lost and changes that are performed without an answer.
SAMPLE = 7


@pytest.fixture(scope="module")
def interrupted(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> InterruptedHistory:
    return InterruptedHistory(sandbox, create_catalog(sandbox, tmp_path_factory.mktemp("torn"), "torn"))


def allowed_views(kind: str, place: Location, before: ExpectedState, after: ExpectedState) -> list[LocationView]:
    """Asserts that a location has its old or new state; a hold reaches all locations first."""
    views = [before.view(place), after.view(place)]
    if kind == "rollback":
        held = before.copy()
        held.hold(TWO)
        views.append(held.view(place))
    return views


@pytest.mark.parametrize("kind", ["promote", "rollback", "revoke"])
def test_doctor_and_rerun_repair_move_killed_at_any_change(interrupted: InterruptedHistory, kind: str) -> None:
    name, table = interrupted.image(promoted=kind != "promote")
    mark = interrupted.sandbox.mark()
    interrupted.catalog.bakeline(*command(kind, name), want=0)
    interrupted.observer.assert_matches(expected_after(kind, table), name)
    changes = len([action for action in interrupted.sandbox.changes(mark) if action != "AssumeRole"])
    assert changes >= 8
    torn_apart = 0
    for nth in range(1, changes + 1, 1 if FULL else SAMPLE):
        name, table = interrupted.image(promoted=kind != "promote")
        after = expected_after(kind, table)
        words = command(kind, name)
        assert interrupted.kill_at(nth, *words), f"{kind} ended before its change {nth} of {changes}"
        shown = {place: interrupted.observer.view(place, name) for place in table.cells}
        torn_apart += not all(shown[place] in (table.view(place), after.view(place)) for place in shown)
        done = interrupted.catalog.bakeline("doctor", "--apply", "--json")
        assert done.code in (0, 5), done
        for place in table.cells:
            view = interrupted.observer.view(place, name)
            assert view in allowed_views(kind, place, table, after), f"{kind} killed at change {nth}, {place}: {done}"
            for half in interrupted.observer.unfinished_copies(place, name):
                assert "bakeline:expires" in tags(half), half
        interrupted.catalog.bakeline(*words, want=0)
        interrupted.observer.assert_matches(after, name)
        assert not [half for place in table.cells for half in interrupted.observer.unfinished_copies(place, name)]
        findings = json.loads(interrupted.catalog.bakeline("doctor", "--json", want=0).out)
        assert [one for one in findings if not one.get("lost")] == [], "only evidence that cannot exist may be missing"
    assert torn_apart, "no kill ever left a place between two states: the doctor had nothing to do"
