"""Checksums, tarballs, SBOM, and equal artifacts from equal sources."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import DIST, HOST, REPO, TARGET, artifact, unpacked
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archives() -> list[Path]:
    found = sorted(DIST.glob("*.tar.gz"))
    assert found
    return found


def linked_crates() -> set[tuple[str, str]]:
    """Returns the names and versions of the crates in the program."""
    words = ["cargo", "tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}"]
    words += ["--target", "x86_64-unknown-linux-musl"]
    tree = subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=True).stdout
    linked = {tuple(line.split()[:2]) for line in tree.splitlines() if line and "proc-macro" not in line}
    return {(name, version.removeprefix("v")) for name, version in linked if name != "bakeline"}


def test_checksums_list_all_artifacts() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    listed = {name: given for given, name in (line.split("  ", 1) for line in lines)}
    present = {path.name: digest(path) for path in DIST.iterdir() if path.name != "SHA256SUMS"}
    assert listed == present
    assert {Path(name).suffix for name in listed} == {".deb", ".gz", ".json", ".tar"}


@pytest.mark.parametrize("archive", archives() if DIST.exists() else [], ids=lambda path: path.name)
def test_tarball_has_program_pages_and_completions(archive: Path, tmp_path: Path) -> None:
    folder = unpacked(archive, tmp_path)
    assert folder.name == archive.name.removesuffix(".tar.gz")
    assert {path.name for path in (folder / "completions").iterdir()} == {
        "bakeline.bash",
        "_bakeline",
        "bakeline.fish",
    }
    assert {"LICENSE", "README.md", "CHANGELOG.md"} <= {path.name for path in folder.iterdir()}
    assert (folder / "man/bakeline.1").exists()
    licenses = (folder / "THIRD-PARTY-LICENSES").read_text()
    missing = [f"{name} {version}" for name, version in linked_crates() if f"  {name} {version}" not in licenses]
    assert missing == []
    # Libraries in C, which no crate names.
    for text in ("LINKING EXCEPTION", "Copyright © 2005-2020 Rich Felker"):
        assert text in licenses
    kind = subprocess.run(["readelf", "-l", folder / "bakeline"], capture_output=True, text=True, check=True).stdout
    assert "LOAD" in kind and "INTERP" not in kind, "the program is not static"
    assert os.access(folder / "bakeline", os.X_OK)


def test_programs_contain_no_paths_of_the_builder() -> None:
    programs = [*TARGET.glob("dist-parts/*/bakeline")]
    assert programs
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for program in programs:
        content = program.read_bytes()
        for path in (cargo_home, TARGET, REPO):
            assert content.count(str(path).encode()) == 0, f"{path} in {program}"


def test_packaging_again_gives_equal_artifacts() -> None:
    before = {path.name: digest(path) for path in [*DIST.glob("*.tar.gz"), *DIST.glob("*.deb")]}
    for script in ("tarball.sh", "deb.sh"):
        subprocess.run([REPO / "scripts/dist" / script, HOST], check=True, capture_output=True)
    after = {path.name: digest(path) for path in [*DIST.glob("*.tar.gz"), *DIST.glob("*.deb")]}
    assert after == before


def test_sbom_is_valid_and_lists_linked_crates() -> None:
    text = artifact("*.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    assert str(REPO) not in text
    bom = json.loads(text)
    own = bom["metadata"]["component"]
    assert own["name"] == "bakeline" and own["version"] in artifact("*.cdx.json").name
    listed = {(part["name"], part["version"]) for part in bom["components"]}
    linked = linked_crates()
    assert len(linked) > 200
    assert linked <= listed, sorted(linked - listed)
