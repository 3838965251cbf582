"""Finds the release artifacts of `make dist`, and provides Debian roots. These tests need root rights and a release build, so
`make dist-test` runs them, and `make test` does not."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
DIST = TARGET / "dist"
HOST = platform.machine()
DEBIAN_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
SHELLS = "man-db,mandoc,bash-completion,zsh,fish"

os.environ["BAKELINE"] = str(TARGET / "dist-parts" / HOST / "bakeline")
sys.path.insert(0, str(REPO / "tests/e2e"))

from support.sandbox import Sandbox


@dataclass(frozen=True)
class Root:
    """A root file system."""

    path: Path

    def run(self, *words: str, want: int | None = 0, environment: dict[str, str] | None = None) -> str:
        """Runs a program in the root and returns its output."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        env |= {"HOME": "/root", "TERM": "dumb", **(environment or {})}
        line = ["chroot", str(self.path), *words]
        ended = subprocess.run(line, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, check=False)
        assert want is None or ended.returncode == want, (
            f"{words}: exit {ended.returncode}: {ended.stdout}{ended.stderr}"
        )
        return ended.stdout + ended.stderr


def artifact(pattern: str) -> Path:
    """Returns the only artifact with this name."""
    [found] = DIST.glob(pattern)
    return found


def unpacked(archive: Path, directory: Path) -> Path:
    """Unpacks a tarball and returns its only folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="tar")
    [folder] = directory.iterdir()
    return folder


@pytest.fixture(scope="session", params=["bookworm", "trixie"])
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """Returns a Debian 12 and a Debian 13 with shells and man, in which the package is installed with dpkg."""
    root = tmp_path_factory.mktemp(request.param) / "root"
    words = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={SHELLS}", request.param]
    subprocess.run([*words, str(root)], check=True)
    package = artifact(f"bakeline_*_{DEBIAN_ARCH[HOST]}.deb")
    (root / "tmp" / package.name).write_bytes(package.read_bytes())
    installed = Root(root)
    installed.run("dpkg", "-i", f"/tmp/{package.name}")
    yield installed
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.fixture(scope="session")
def local_ec2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Returns a local EC2 that the released program has started. It boots nothing."""
    sandbox = Sandbox(tmp_path_factory.mktemp("ec2"))
    sandbox.up("--backend", "stub")
    try:
        yield sandbox
    finally:
        sandbox.down()
