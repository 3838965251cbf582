"""Starts releases up to a point, resumes or kills them, and manipulates their locks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .catalog import Catalog
from .instance import Instance
from .inventory import Process, all_processes
from .run import HANG, wait_until
from .sandbox import Sandbox

WAITING = "the build is waiting now"
# A build script that reports its start and waits for `resume_build`.
WAIT = f"echo {WAITING}\nuntil test -e /var/tmp/go; do sleep 0.2; done\nrm /var/tmp/go\n"


def packer_log(run: Path, image: str) -> str:
    path = run / image / "packer.log"
    return path.read_text(errors="replace") if path.exists() else ""


def new_run(catalog: Catalog, before: set[Path]) -> Path:
    """Returns the directory of the run that is not in `before`."""
    return wait_until(lambda: next((run for run in catalog.runs() if run not in before), None), HANG, "a run directory")


def start_release(
    catalog: Catalog, image: str, *words: str, says: str = WAITING
) -> tuple[subprocess.Popen[bytes], Path]:
    """Starts a release and waits for a text in Packer's log of an image. Returns the process and the run directory."""
    before = set(catalog.runs())
    started = catalog.start("release", *words)

    def is_logged() -> bool:
        assert started.poll() is None, (catalog.at / "out.log").read_text()
        return any(says in packer_log(run, image) for run in catalog.runs() if run not in before)

    try:
        wait_until(is_logged, HANG, f"{says!r} of {image}", every=0.02)
        return started, new_run(catalog, before)
    except BaseException:
        kill_release(started)
        raise


def resume_build(sandbox: Sandbox, run: Path, image: str) -> None:
    """Lets a waiting build continue, from inside its instance."""
    only = [{"Name": f"tag:bakeline:{key}", "Values": [value]} for key, value in (("run", run.name), ("image", image))]
    only.append({"Name": "instance-state-name", "Values": ["running"]})
    [group] = sandbox.client("ec2").describe_instances(Filters=only)["Reservations"]
    Instance(group["Instances"][0], run / image / "key").ssh("touch /var/tmp/go")


def descendants(of: int) -> list[Process]:
    """Returns all descendants of a process."""
    found, family = all_processes(), {of}
    while more := {one.pid for one in found if one.parent in family} - family:
        family |= more
    return [one for one in found if one.pid in family and one.pid != of]


def kill_release(started: subprocess.Popen[bytes]) -> None:
    """Kills bakeline, its supervisor and Packer together, so that none of them cleans up."""
    os.kill(started.pid, signal.SIGSTOP)
    pids = [started.pid, *(one.pid for one in descendants(started.pid))]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    started.wait(timeout=HANG)


def lock_objects(catalog: Catalog, env: str = "Test") -> list[Path]:
    """Returns the objects of an environment's lock in order of generation and renewal.

    Names are `GENERATION.json`, `GENERATION-RENEWAL.json` and `GENERATION-end.json`, with six-digit numbers.
    """
    return sorted((catalog.at / ".bakeline/store" / catalog.name / "locks" / env).glob("*.json"))


def is_lock_held(catalog: Catalog, env: str = "Test") -> bool:
    """Returns whether the latest generation of a lock, or its last renewal, has not expired."""
    found = lock_objects(catalog, env)
    if not found or found[-1].stem.endswith("-end"):
        return False
    last = [one for one in found if one.stem[:6] == found[-1].stem[:6]]
    expiries = [datetime.fromisoformat(json.loads(one.read_text())["expires"]) for one in last]
    return max(expiries) > datetime.now(UTC)


def move_holder_to_other_machine(catalog: Catalog, env: str = "Test") -> None:
    """Changes the holder to a process of another machine, so that it cannot be proven dead here."""
    found = [one for one in lock_objects(catalog, env) if "-" not in one.stem][-1]
    facts = json.loads(found.read_text())
    facts["process"]["boot"] = "00000000-0000-0000-0000-000000000000"
    found.write_text(json.dumps(facts))


def expire_lease(catalog: Catalog, env: str = "Test") -> None:
    """Expires the lease of a dead holder without waiting."""
    assert is_lock_held(catalog, env), "the lock is not held, and no lease can expire"
    for one in lock_objects(catalog, env):
        if one.stat().st_size:
            facts = json.loads(one.read_text())
            one.write_text(json.dumps({**facts, "expires": "2026-01-01T00:00:00Z"}))
