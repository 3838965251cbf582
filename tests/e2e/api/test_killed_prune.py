"""A killed prune continues with `resume`, or ends with `abort`, in another working directory.

The oracle judges the AMIs of all locations. CI kills at one change; `make chaos` kills at each.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.catalog import tags
from support.interrupted import InterruptedHistory, newest_run, recover
from support.sandbox import Sandbox
from support.seeded_history import ONE, PRUNE_AT_ONCE, TWO, create_catalog
from support.state import ExpectedState

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
OFFSET = int(os.environ.get("BAKELINE_SAMPLE_OFFSET", "0"))
BUCKET = "pruned-by-two-machines"
GOALS = ("resume", "abort")


@pytest.fixture(scope="module")
def interrupted(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> InterruptedHistory:
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    at = tmp_path_factory.mktemp("pruned")
    return InterruptedHistory(
        sandbox, create_catalog(sandbox, at, "pruned", store={"s3": {"bucket": BUCKET}}, **PRUNE_AT_ONCE)
    )


def assert_pruned(interrupted: InterruptedHistory, name: str, table: ExpectedState) -> None:
    """Asserts that version ONE is gone in all locations, and that nothing else has changed."""
    after = table.copy()
    for place in after.cells:
        del after.cells[place][ONE]
    interrupted.observer.assert_matches(after, name)


def assert_two_is_untouched(interrupted: InterruptedHistory, name: str, table: ExpectedState) -> None:
    """Asserts that the current version has its tags and pointers in each location, and that `latest` prints it."""
    for place in table.cells:
        view, expected = interrupted.observer.view(place, name), table.view(place)
        assert view.rows[TWO] == expected.rows[TWO], place
        assert view.latest == expected.latest, place
    latest = interrupted.catalog.bakeline("latest", name, "--env", "Prod", want=0).out.strip()
    home = interrupted.observer.amis(table.home, name)
    assert [ami["ImageId"] for ami in home if tags(ami)["bakeline:version"] == TWO] == [latest]


def kills(changes: int) -> list[tuple[int, str]]:
    """Returns the changes at which to kill, each with the command that follows. A sample is from the second quarter."""
    cells = [(nth, goal) for nth in range(1, changes + 1) for goal in GOALS]
    return cells if FULL else [cells[len(cells) // 4 + OFFSET % (len(cells) // 4)]]


def test_killed_prune_is_continued_or_ended(interrupted: InterruptedHistory, tmp_path: Path) -> None:
    name, table = interrupted.image(promoted=True)
    mark = interrupted.sandbox.mark()
    interrupted.catalog.bakeline("prune", "--apply", want=0)
    assert_pruned(interrupted, name, table)
    changes = [action for action in interrupted.sandbox.changes(mark) if action != "AssumeRole"]
    assert changes.count("DeregisterImage") == len(table.cells), changes
    begun = recovered = 0
    for nth, goal in kills(len(changes)):
        name, table = interrupted.image(promoted=True)
        known = newest_run(interrupted.catalog)["run"]
        assert interrupted.kill_at(nth, "prune", "--apply"), f"prune ended before its change {nth}"
        assert_two_is_untouched(interrupted, name, table)
        dead = newest_run(interrupted.catalog)
        if dead["run"] != known and dead["state"] != "ended":
            assert (dead["command"], dead["state"]) == ("prune", "unfinished"), dead
            begun += dead["scopes"].get("begun", 0)
            recovered += 1
            done = recover(interrupted.catalog, tmp_path / f"{goal}{nth}", goal, dead["run"])
            assert done.code == 0, (nth, done)
            assert newest_run(interrupted.catalog)["state"] == "ended"
            assert_two_is_untouched(interrupted, name, table)
            if goal == "resume":
                assert_pruned(interrupted, name, table)
        interrupted.catalog.bakeline("prune", "--apply", want=0)
        assert_pruned(interrupted, name, table)
    assert recovered and (begun or not FULL), "no kill left a location in the middle"
