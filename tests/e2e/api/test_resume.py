"""A killed promotion, rollback or revocation continues with `resume`, or is undone with `abort`.

The oracle judges the tags and pointers of all locations. CI kills at a sample of the changes; `make chaos` kills at each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.interrupted import InterruptedHistory, command, expected_after, newest_run, recover
from support.sandbox import Sandbox
from support.seeded_history import TWO, create_catalog
from support.state import ExpectedState

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
BUCKET = "runs-of-two-machines"


@pytest.fixture(scope="module")
def interrupted(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> InterruptedHistory:
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    store = {"s3": {"bucket": BUCKET}}
    return InterruptedHistory(
        sandbox, create_catalog(sandbox, tmp_path_factory.mktemp("resume"), "resume", store=store)
    )


def state(interrupted: InterruptedHistory, run: str) -> str:
    rows = json.loads(interrupted.catalog.bakeline("runs", "--json", want=0).out)
    return str(next(row["state"] for row in rows if row["run"] == run))


def assert_latest_exists(interrupted: InterruptedHistory, name: str) -> None:
    """Asserts that `latest` prints an AMI that EC2 has and whose tags make it current, or nothing."""
    for environment in ("Test", "Prod"):
        done = interrupted.catalog.bakeline("latest", name, "--env", environment)
        if done.code == 0:
            ec2 = interrupted.sandbox.client("ec2")
            (ami,) = ec2.describe_images(ImageIds=[done.out.strip()])["Images"]
            tags = {tag["Key"]: tag["Value"] for tag in ami["Tags"]}
            assert ami["State"] == "available" and tags["bakeline:state"] in ("released", "held"), ami
            assert f"{environment}=" in tags["bakeline:current"], ami
        else:
            assert done.code in (6, 7), done


@pytest.mark.parametrize("kind", ["promote", "rollback", "revoke"])
def test_killed_move_is_continued_or_undone(interrupted: InterruptedHistory, kind: str, tmp_path: Path) -> None:
    name, table = interrupted.image(promoted=kind != "promote")
    mark = interrupted.sandbox.mark()
    interrupted.catalog.bakeline(*command(kind, name), want=0)
    all_changes = [action for action in interrupted.sandbox.changes(mark) if action != "AssumeRole"]
    assert "PUT" in all_changes, "the lines of the journal are changes too"
    begun = finished = 0
    for nth, goals in kills(len(all_changes)):
        for goal in goals:
            name, table = interrupted.image(promoted=kind != "promote")
            after = expected_after(kind, table)
            known = newest_run(interrupted.catalog)["run"]
            assert interrupted.kill_at(nth, *command(kind, name)), f"{kind} ended before its change {nth}"
            assert_latest_exists(interrupted, name)
            dead = newest_run(interrupted.catalog)
            if dead["run"] == known:
                continue  # Killed before the store had the plan: nothing had begun.
            if dead["state"] == "ended":
                interrupted.observer.assert_matches(after, name)
                continue  # Killed after the store had the complete journal.
            assert (dead["command"], dead["state"]) == (kind, "unfinished"), dead
            begun += dead["scopes"].get("begun", 0)
            finished += dead["scopes"].get("done", 0)
            # The run directory is that of another machine: only the store has the journal.
            at = tmp_path / f"{goal}{nth}"
            mark = interrupted.sandbox.mark()
            done = recover(interrupted.catalog, at, goal, dead["run"])
            assert done.code == 0, done
            if goal == "resume":
                interrupted.observer.assert_matches(after, name)
                copies = interrupted.sandbox.changes(mark).count("CopyImage")
                left = all_changes.count("CopyImage") - dead["scopes"].get("done", 0) + 1
                assert copies <= max(left, 0), dead
            else:
                assert_undone(interrupted, kind, name, (table, after), dead)
            assert newest_run(interrupted.catalog)["state"] == "ended"
            again = recover(interrupted.catalog, at, goal, dead["run"])
            assert again.code == 7 and "has ended" in again.err, again
    assert begun and (finished or not FULL), "no kill left a scope in the middle, or after its end"


def kills(changes: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Returns the changes at which to kill, with the commands that follow. A sample has two in the middle: an even one,
    which is performed without an answer, and an odd one, which is lost."""
    middle = changes // 4 * 2
    if not FULL:
        return iter([(middle, ("resume",)), (middle + 1, ("abort",))])
    return ((nth, ("resume", "abort")) for nth in range(1, changes + 1))


def assert_undone(
    interrupted: InterruptedHistory,
    kind: str,
    name: str,
    states: tuple[ExpectedState, ExpectedState],
    dead: dict[str, Any],
) -> None:
    """Asserts that each location has its old state, or its new state if it was finished before the kill."""
    before, after = states
    new = 0
    for place in before.cells:
        view = interrupted.observer.view(place, name)
        new += view == after.view(place) and view != before.view(place)
        held = before.copy()
        if kind == "rollback":
            held.hold(TWO)
        # A revocation is never undone: a revoked version must not come back.
        assert kind == "revoke" or view in (before.view(place), held.view(place), after.view(place)), (place, dead)
        assert not interrupted.observer.unfinished_copies(place, name)
    assert kind != "promote" or new <= dead["scopes"].get("done", 0), (dead, new)


def ec2_changes(interrupted: InterruptedHistory, mark: int) -> list[str]:
    """Returns the changes since `mark`, without those of the store, which contains the locks."""
    store = ("PUT", "POST", "DELETE", "AssumeRole")
    return [action for action in interrupted.sandbox.changes(mark) if action not in store]


def test_recovery_refuses_what_it_cannot_continue(interrupted: InterruptedHistory) -> None:
    catalog = interrupted.catalog
    unknown = catalog.bakeline("resume", "20260101t000000z-0000")
    assert unknown.code == 6 and "bakeline runs" in unknown.err, unknown
    assert catalog.bakeline("abort", "../locks").code == 2
    name, table = interrupted.image(promoted=False)
    assert interrupted.kill_at(1, *command("promote", name), action="CopyImage")
    dead = newest_run(interrupted.catalog)["run"]
    settings = (catalog.at / f"images/{name}.yaml").read_text()
    catalog.image(name, source={"owner": "136693071363", "name": "debian-12-amd64-*"}, packages=["curl"])
    mark = interrupted.sandbox.mark()
    changed = catalog.bakeline("resume", dead)
    assert changed.code == 7 and f"image `{name}`" in changed.err and f"bakeline abort {dead}" in changed.err, changed
    catalog.file(f"images/{name}.yaml", settings)
    assert ec2_changes(interrupted, mark) == []
    assert state(interrupted, dead) == "unfinished"
    catalog.bakeline("promote", name, "--to", "Prod", want=0)
    assert state(interrupted, dead) == "superseded"
    mark = interrupted.sandbox.mark()
    late = catalog.bakeline("resume", dead)
    assert late.code == 7 and "has changed the same resources" in late.err, late
    assert ec2_changes(interrupted, mark) == []
    interrupted.observer.assert_matches(expected_after("promote", table), name)
