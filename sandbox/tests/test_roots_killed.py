"""Builds of vendor roots that were killed: no process and no mount stays, and the next build replaces the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeline_sandbox.backends import system
from bakeline_sandbox.roots import RootError, Roots

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not system.has_capabilities([21]), reason="needs CAP_SYS_ADMIN"),
]
HANG = 120


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    system.unmount_below(tmp_path)


def processes_with(word: str) -> list[int]:
    """PIDs of all processes whose command line contains the word."""
    return [pid for pid in system.pids() if word in system.proc_text(pid, "cmdline")]


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_killed_build_leaves_no_process_and_no_mount(store):
    script = f"from bakeline_sandbox.roots import Roots; from pathlib import Path; Roots(Path({str(store)!r})).ensure(['debian-12'])"
    build = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parent.parent)

    def mounted() -> bool:
        tables = {system.proc_text(pid, "mountinfo") for pid in system.pids()}
        return any(f"{store}/cache/.debian-12" in table for table in tables)

    try:
        wait_until(lambda: mounted() or build.poll() is not None, "mmdebstrap mounts nothing in the root")
        assert build.poll() is None, "the build ended before anything was mounted"
        assert processes_with(f"{store}/cache/.debian-12")
    finally:
        build.send_signal(signal.SIGKILL)
        build.wait()
    wait_until(lambda: not processes_with(f"{store}/cache/.debian-12"), "mmdebstrap survives its parent")
    assert not mounted()


def test_next_build_unmounts_what_a_killed_build_left(store, monkeypatch):
    # The cache is a link here, because the mount table has real paths.
    (store / "real").mkdir()
    (store / "cache").symlink_to(store / "real")
    tools = store / "tools"
    tools.mkdir()
    (tools / "mmdebstrap").write_text(f'#!/bin/sh\necho "$@" > {store}/called\nexit 7\n')
    (tools / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    roots = Roots(store)
    with pytest.raises(RootError, match="exit 7"):
        roots.ensure(["debian-12"], lambda _: None)
    part = Path(next(word for word in (store / "called").read_text().split() if "/.debian-12-" in word))
    (part / "proc").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", part / "proc"], check=True)
    (part / "proc/left").touch()
    with pytest.raises(RootError, match="exit 7"):
        roots.ensure(["debian-12"], lambda _: None)
    assert not part.exists()
    assert not system.mounts_below(store)
