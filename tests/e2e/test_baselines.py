"""The shipped images against the shipped baselines, in both phases: no control fails or is undetermined, and
docs/reference/baselines.md lists the controls that a foreign kernel skips. SSH and a broken image confirm the results."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.instance import running_instance
from support.run import BAKELINE, HANG, REPO, CompletedRun, run
from support.sandbox import Sandbox

IMAGES = ("base-debian-12", "base-debian-13", "jdk", "nginx", "tomcat")
PROFILES = ("linux-baseline", "ssh-baseline", "image-hygiene")
SHIPPED = ("bakeline.yaml", "waivers.yaml", "images", "profiles", "templates")
PHASES = ("build", "boot")
REGION = "us-east-1"
FOREIGN = "the kernel is not the target's own"


@dataclass
class Released:
    sandbox: Sandbox
    at: Path
    done: CompletedRun

    def report(self, image: str, phase: str) -> dict[str, Any]:
        """Reads a report of an image and a phase from the run directory of the release."""
        found = sorted((self.at / ".bakeline/runs").glob(f"*/{image}/checks-{phase}.json"))
        assert len(found) == 1, f"{image} {phase}: {found}"
        report: dict[str, Any] = json.loads(found[0].read_text())
        return report

    def controls(self, image: str, phase: str) -> dict[str, dict[str, Any]]:
        """All controls of a report by id."""
        return {c["id"]: c for profile in self.report(image, phase)["profiles"] for c in profile["controls"]}


def copy_catalog(at: Path) -> Path:
    """Copies the tracked files of the shipped catalog from the working tree, and commits them to a new repository."""
    at.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout.split(b"\0")
    for name in (name.decode() for name in tracked if name):
        if name.split("/")[0] in SHIPPED:
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, at / name)
    commit_catalog(at)
    return at


def commit_catalog(at: Path) -> None:
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=j", "-c", "user.email=j@x", "commit", "-qm", "catalog"],
    ):
        subprocess.run(["git", *words], cwd=at, check=True)


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("only booted instances can be judged by all profiles")
    at = copy_catalog(tmp_path_factory.mktemp("baselines") / "clone")
    env = {**sandbox.env, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    yield Released(sandbox, at, run([BAKELINE, "release", "--jobs", "2"], at, env, timeout=4 * HANG, want=0))


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("image", IMAGES)
def test_no_control_fails_or_is_undetermined(released: Released, image: str, phase: str) -> None:
    controls = released.controls(image, phase)
    bad = {name: c["results"] for name, c in controls.items() if c["status"] in ("failed", "error")}
    assert not bad, bad
    passed = [name for name, c in controls.items() if c["status"] == "passed"]
    assert len(passed) > 80, f"too few controls passed ({len(passed)}): {passed}"
    for name, control in controls.items():
        skipped = [result for result in control["results"] if result["outcome"] == "skipped"]
        assert control["status"] != "skipped" or skipped, name
        assert all(result["message"] for result in skipped), "skipped without a reason"


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_has_all_three_profiles(released: Released, image: str) -> None:
    """Every control of every profile is judged in at least one phase. Child images inherit the profiles of their parents."""
    wanted = {
        name
        for profile in PROFILES
        for name in re.findall(r"(?m)^  - \{?id: ([\w-]+)", (REPO / f"profiles/{profile}.yaml").read_text())
    }
    assert len(wanted) > 59 + 71
    judged = {name for phase in PHASES for name in released.controls(image, phase)}
    assert wanted <= judged, wanted - judged


def documented_controls() -> set[tuple[str, str, str]]:
    """Returns the expectations that docs/reference/baselines.md lists as needing the target's own kernel, as (ID, target, property)."""
    text = (REPO / "docs/reference/baselines.md").read_text()
    rows = text.split("## Expectations that need the kernel of the target\n")[1].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("| ")]
    return {(cell[0], cell[1], cell[2]) for cell in cells if cell[0] not in ("ID", "---")}


@pytest.mark.parametrize("image", IMAGES)
def test_docs_list_controls_skipped_without_own_kernel(released: Released, image: str) -> None:
    skipped = {
        (name, "" if result["resource"] == "control" else result["shown"], result["property"])
        for phase in PHASES
        for name, control in released.controls(image, phase).items()
        for result in control["results"]
        if result["outcome"] == "skipped" and FOREIGN in result["message"]
    }
    assert skipped == documented_controls()


def test_waivers_are_few_and_complete() -> None:
    waivers = REPO / "waivers.yaml"
    if not waivers.exists():
        return  # without waivers.yaml there are no waivers
    blocks = re.split(r"(?m)^  - ", waivers.read_text())[1:]
    assert len(blocks) <= 5
    foreign = {name for name, *_ in documented_controls()}
    for block in blocks:
        assert all(f"{word}:" in block for word in ("justification", "owner", "expires")), block
        assert not any(re.search(rf"\b{name}\b", block) for name in foreign), block


@pytest.mark.parametrize(
    ("script", "control"),
    [
        ("chmod 0644 /etc/shadow", "os-02"),
        ("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/00-open.conf", "sshd-06"),
        ("echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/99-router.conf", "sysctl-01"),
        ("rm /etc/modprobe.d/bakeline.conf", "os-10"),
        ("sed -i '/[[:space:]]\\/tmp[[:space:]]/s/noexec,//' /etc/fstab", "os-14"),
        ("touch /srv/all && chmod 0666 /srv/all", "world-writable-files"),
    ],
    ids=lambda value: value if re.fullmatch(r"[\w-]+", value) else "",
)
def test_child_that_undoes_hardening_is_not_built(
    released: Released, tmp_path: Path, script: str, control: str
) -> None:
    """The message names the control, expected and actual values."""
    at = tmp_path / "clone"
    shutil.copytree(released.at, at, ignore=shutil.ignore_patterns(".git", ".bakeline"))
    (at / "images/loose.sh").write_text(f"set -eu\n{script}\n")
    (at / "images/loose.yaml").write_text(json.dumps({"parent": "base-debian-13", "scripts": ["images/loose.sh"]}))
    commit_catalog(at)
    env = {**released.sandbox.env, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    done = run([BAKELINE, "release", "loose"], at, env, timeout=3 * HANG)
    assert done.code == 3, done
    assert control in done.err and "expected" in done.err and "actual" in done.err, done.err[-3000:]


def test_hardened_base_has_its_settings(released: Released, tmp_path: Path) -> None:
    """Reads the settings with ssh and sysctl, without bakeline's checks."""
    env = {**released.sandbox.env, "AWS_REGION": REGION}
    ami = run([BAKELINE, "latest", "base-debian-13", "--env", "Test"], released.at, env, want=0).out.strip()
    with running_instance(released.sandbox, ami, tmp_path, REGION) as instance:
        assert "status: done" in instance.ssh("cloud-init status --wait")
        mounted = instance.ssh("findmnt -no OPTIONS /tmp")
        assert "noexec" in mounted and "nosuid" in mounted, mounted
        assert instance.ssh("sudo cat /proc/sys/net/ipv4/conf/all/rp_filter") == "1\n"
        assert re.search(r"Password expires\s*: never", instance.ssh("sudo chage -l admin"))
        refused = instance.try_ssh("true", user="root")
        assert refused.returncode == 255 and "denied" in refused.stderr, refused
