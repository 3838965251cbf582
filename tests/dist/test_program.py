"""The static programs run in an empty root, and the container image runs the same program."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import DEBIAN_ARCH, HOST, TARGET, Root, artifact
from support.catalog import VENDOR, Catalog
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

EMULATOR = shutil.which("qemu-aarch64-static")


def empty_root(directory: Path, arch: str) -> Root:
    """Returns a root that contains only the program."""
    shutil.copy2(TARGET / "dist-parts" / arch / "bakeline", directory / "bakeline")
    return Root(directory)


def expected_version(arch: str) -> dict[str, object]:
    """Returns what `bakeline version --json` prints, except for the commit."""
    name = artifact(f"bakeline_*_{DEBIAN_ARCH[arch]}.deb").name
    return {"version": name.split("_")[1], "target": f"{arch}-unknown-linux-musl", "features": ["live"]}


def test_program_runs_in_empty_root(tmp_path: Path) -> None:
    root = empty_root(tmp_path, HOST)
    version = json.loads(root.run("/bakeline", "version", "--json"))
    commit = version.pop("commit")
    assert version == expected_version(HOST)
    assert len(commit.removesuffix("-modified")) == 40


def test_latest_runs_in_empty_root(local_ec2: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(local_ec2, tmp_path / "catalog", "lookup")
    catalog.image("base", source=VENDOR)
    ami = SeededAmis(local_ec2, catalog).add("base", 20, {"bakeline:current": HERE})
    parameter = "/bakeline/lookup/base/Test/x86_64"
    local_ec2.client("ssm").put_parameter(Name=parameter, Value=ami, Type="String")
    (tmp_path / "root").mkdir()
    root = empty_root(tmp_path / "root", HOST)
    lookup = ("latest", "base", "--env", "Test", "--catalog", "lookup", "--region", local_ec2.region)
    variables = {key: value for key, value in local_ec2.env.items() if key.startswith("AWS_")}
    assert root.run("/bakeline", *lookup, environment=variables) == f"{ami}\n"


@pytest.mark.skipif(EMULATOR is None or platform.machine() != "x86_64", reason="needs qemu-user-static on x86_64")
@pytest.mark.skipif("aarch64" not in os.environ.get("DIST_ARCHES", "aarch64"), reason="DIST_ARCHES has no aarch64")
def test_arm64_program_runs_under_emulator(tmp_path: Path) -> None:
    assert EMULATOR is not None
    root = empty_root(tmp_path, "aarch64")
    shutil.copy2(EMULATOR, tmp_path / "emulator")
    version = json.loads(root.run("/emulator", "/bakeline", "version", "--json"))
    version.pop("commit")
    assert version == expected_version("aarch64")
    assert "Usage: bakeline" in root.run("/emulator", "/bakeline", "help")


def test_image_is_accepted_and_its_program_runs(tmp_path: Path) -> None:
    archive = f"oci-archive:{artifact('*.oci.tar')}"
    inspected = subprocess.run(["skopeo", "inspect", archive], capture_output=True, text=True, check=True).stdout
    described = json.loads(inspected)
    assert (described["Architecture"], described["Os"]) == (DEBIAN_ARCH[HOST], "linux")
    assert described["Labels"]["org.opencontainers.image.version"] == expected_version(HOST)["version"]
    subprocess.run(["skopeo", "copy", "-q", archive, f"oci:{tmp_path}/copy:x"], check=True)
    subprocess.run(["skopeo", "copy", "-q", archive, f"docker-archive:{tmp_path}/docker.tar:bakeline:x"], check=True)
    root = Root(tmp_path / "root")
    root.path.mkdir()
    for layer in described["Layers"]:
        blob = tmp_path / "copy/blobs" / layer.replace(":", "/")
        subprocess.run(["tar", "-C", root.path, "-xzf", blob], check=True)
    version = json.loads(root.run("bakeline", "version", "--json"))
    version.pop("commit")
    assert version == expected_version(HOST)
    assert "OpenSSH" in root.run("ssh", "-V")
    # Packer needs /proc.
    inside = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root.path}/proc", "chroot", root.path]
    assert (
        "Packer v1."
        in subprocess.run([*inside, "packer", "version"], capture_output=True, text=True, check=True).stdout
    )
    # The jobs of the component for GitLab use these.
    for program in ("bash", "git", "mktemp"):
        assert root.run("which", program)
    assert (root.path / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000
    subprocess.run(["rm", "-rf", root.path], check=True)
