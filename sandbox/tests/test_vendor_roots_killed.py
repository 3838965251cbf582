"""Tests that killed builds of vendor roots leave no process and no mount."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bakeline_sandbox.backends.requirements import SYS_ADMIN
from bakeline_sandbox.errors import VendorRootError
from bakeline_sandbox.host.mounts import mount_points_below, unmount_below
from bakeline_sandbox.host.processes import has_capabilities, list_pids, read_proc_file
from bakeline_sandbox.vendor_roots import VendorRoots

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not has_capabilities([SYS_ADMIN]), reason="needs CAP_SYS_ADMIN"),
]
WAIT_SECONDS = 120
# Much shorter than a build, so that a surviving mmdebstrap would still be running.
END_SECONDS = 10


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    unmount_below(tmp_path)


def find_processes(argument: str) -> list[int]:
    """Returns the processes whose command line contains a text."""
    return [pid for pid in list_pids() if argument in read_proc_file(pid, "cmdline")]


def wait_until(condition: Callable[[], bool], failure: str, seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.05)


def test_killed_build_leaves_no_process_and_no_mount(state_dir: Path) -> None:
    part = f"{state_dir}/cache/.debian-12"
    script = (
        "from pathlib import Path\n"
        "from bakeline_sandbox.vendor_roots import VendorRoots\n"
        f"VendorRoots(Path({str(state_dir)!r})).ensure_roots(['debian-12'])\n"
    )
    package_dir = Path(__file__).parent.parent
    build = subprocess.Popen([sys.executable, "-c", script], cwd=package_dir)

    def has_mounts() -> bool:
        tables = {read_proc_file(pid, "mountinfo") for pid in list_pids()}
        return any(part in table for table in tables)

    try:
        wait_until(
            lambda: has_mounts() or build.poll() is not None,
            "mmdebstrap mounts nothing in the root",
        )
        assert build.poll() is None, "the build ended before anything was mounted"
        assert find_processes(part)
    finally:
        build.send_signal(signal.SIGKILL)
        build.wait()
    wait_until(lambda: not find_processes(part), "mmdebstrap survives its parent", END_SECONDS)
    assert not has_mounts()


def test_next_build_unmounts_leftovers(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The cache is a link, because the kernel lists mounts by their real paths.
    (state_dir / "real").mkdir()
    (state_dir / "cache").symlink_to(state_dir / "real")
    tools = state_dir / "tools"
    tools.mkdir()
    fake = tools / "mmdebstrap"
    fake.write_text(f'#!/bin/sh\necho "$@" > {state_dir}/arguments\nexit 7\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    roots = VendorRoots(state_dir)
    with pytest.raises(VendorRootError, match="exit code 7"):
        roots.ensure_roots(["debian-12"], lambda _: None)
    arguments = (state_dir / "arguments").read_text().split()
    part = Path(next(argument for argument in arguments if "/.debian-12-" in argument))
    (part / "proc").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", part / "proc"], check=True)
    (part / "proc/leftover").touch()
    with pytest.raises(VendorRootError, match="exit code 7"):
        roots.ensure_roots(["debian-12"], lambda _: None)
    assert not part.exists()
    assert not mount_points_below(state_dir)
