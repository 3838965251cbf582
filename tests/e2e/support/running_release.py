"""Owns a run that is caught midway: begun until a log says where it is, let go on, ended with all below it; and its lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .catalog import Catalog
from .instance import Guest
from .inventory import Process, everything
from .run import HANG, until
from .sandbox import Sandbox

WAITING = "the build is waiting now"
# A script of a build: it says that it is there and ends when the judge says so (`go_on`).
WAIT = f"echo {WAITING}\nuntil test -e /var/tmp/go; do sleep 0.2; done\nrm /var/tmp/go\n"


def packer_log(run: Path, image: str) -> str:
    path = run / image / "packer.log"
    return path.read_text(errors="replace") if path.exists() else ""


def new_run(catalog: Catalog, before: set[Path]) -> Path:
    """The directory of the run that was started after `before` was seen."""
    return until(lambda: next((run for run in catalog.runs() if run not in before), None), HANG, "a run directory")


def begin(catalog: Catalog, image: str, *words: str, says: str = WAITING) -> tuple[subprocess.Popen[bytes], Path]:
    """A release whose build of an image has come to these words in Packer's log, and its run directory."""
    before = set(catalog.runs())
    started = catalog.start("release", *words)

    def there() -> bool:
        assert started.poll() is None, (catalog.at / "out.log").read_text()
        return any(says in packer_log(run, image) for run in catalog.runs() if run not in before)

    try:
        until(there, HANG, f"{says!r} of {image}", every=0.02)
        return started, new_run(catalog, before)
    except BaseException:
        kill(started)
        raise


def go_on(box: Sandbox, run: Path, image: str) -> None:
    """End the waiting of a build, from inside its instance."""
    only = [{"Name": f"tag:bakeline:{key}", "Values": [value]} for key, value in (("run", run.name), ("image", image))]
    only.append({"Name": "instance-state-name", "Values": ["running"]})
    [group] = box.client("ec2").describe_instances(Filters=only)["Reservations"]
    Guest(group["Instances"][0], run / image / "key").ssh("touch /var/tmp/go")


def below(of: int) -> list[Process]:
    """The processes below one."""
    found, family = everything(), {of}
    while more := {one.pid for one in found if one.parent in family} - family:
        family |= more
    return [one for one in found if one.pid in family and one.pid != of]


def kill(started: subprocess.Popen[bytes]) -> None:
    """End bakeline, its supervisor and Packer at once, so that nobody cleans up."""
    os.kill(started.pid, signal.SIGSTOP)
    pids = [started.pid, *(one.pid for one in below(started.pid))]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    started.wait(timeout=HANG)


def locks(catalog: Catalog, env: str = "Test") -> list[Path]:
    """The objects of an environment's lock, latest generation and sign of life last."""
    return sorted((catalog.at / ".bakeline/store" / catalog.name / "locks" / env).glob("*.json"))


def held(catalog: Catalog, env: str = "Test") -> bool:
    """Whether the latest generation of a lock, or its last sign of life, has not expired."""
    found = locks(catalog, env)
    if not found or found[-1].stem.endswith("-end"):
        return False
    last = [one for one in found if one.stem[:6] == found[-1].stem[:6]]
    expiries = [datetime.fromisoformat(json.loads(one.read_text())["expires"]) for one in last]
    return max(expiries) > datetime.now(UTC)


def move_holder(catalog: Catalog, env: str = "Test") -> None:
    """Make the holder one of another machine: from here nothing proves that its process has ended."""
    found = [one for one in locks(catalog, env) if "-" not in one.stem][-1]
    facts = json.loads(found.read_text())
    facts["process"]["boot"] = "00000000-0000-0000-0000-000000000000"
    found.write_text(json.dumps(facts))


def expire(catalog: Catalog, env: str = "Test") -> None:
    """Let a dead holder's lease be over, without waiting for it."""
    assert held(catalog, env), "it is over already"
    for one in locks(catalog, env):
        if one.stat().st_size:
            facts = json.loads(one.read_text())
            one.write_text(json.dumps({**facts, "expires": "2026-01-01T00:00:00Z"}))
