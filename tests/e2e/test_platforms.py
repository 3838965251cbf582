"""Bases of Ubuntu, Amazon Linux and the RHEL family with all profiles. dnf, rpm and boto3 judge what a release did, and an
image whose source runs another system is rejected before any change."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.instance import Instance, running_instance
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox

PROFILES = ("linux-baseline", "ssh-baseline", "image-hygiene")
PHASES = ("build", "boot")


@dataclass(frozen=True)
class System:
    """Operating system with its vendor AMI and the expected properties of a released image."""

    platform: str
    source: dict[str, str]
    user: str
    id: str
    min_passed: int  # number of controls that pass in each phase, at least


UBUNTU = System(
    "ubuntu",
    {"owner": "099720109477", "name": "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"},
    "ubuntu",
    "ubuntu",
    80,
)
AMAZON_LINUX = System("amazon-linux", {"owner": "amazon", "name": "al2023-ami-2023.*-x86_64"}, "ec2-user", "amzn", 80)
RHEL = System("rhel", {"owner": "309956199498", "name": "RHEL-9.*-x86_64-*"}, "ec2-user", "rhel", 80)
SYSTEMS = {system.platform: system for system in (UBUNTU, AMAZON_LINUX, RHEL)}
RPM_SYSTEMS = ("amazon-linux", "rhel")


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("only booted instances can be judged by all profiles")
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("platforms"), "platforms", quick=False)
    for name, system in SYSTEMS.items():
        catalog.image(name, platform=name, source=system.source, profiles=list(PROFILES), packages=["ed"])
    catalog.image("tool", parent="rhel", scripts=["scripts/tool.sh"])
    catalog.file("scripts/tool.sh", "set -eu\nrpm -q ed > /srv/ed\n")
    results = catalog.release("--jobs", "2")
    assert {one["status"] for one in results.values()} == {"released"}, results
    return catalog


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    return SYSTEMS[request.param]


@pytest.fixture(scope="module")
def instance(
    sandbox: Sandbox, catalog: Catalog, system: System, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """Yields an instance of the released base."""
    keys = tmp_path_factory.mktemp("keys")
    with running_instance(sandbox, catalog.latest(system.platform), keys, user=system.user) as one:
        yield one


def controls(catalog: Catalog, image: str, phase: str) -> dict[str, dict[str, Any]]:
    report = json.loads((catalog.run / image / f"checks-{phase}.json").read_text())
    return {control["id"]: control for profile in report["profiles"] for control in profile["controls"]}


@pytest.mark.parametrize("phase", PHASES)
def test_no_control_fails_or_is_undetermined(catalog: Catalog, system: System, phase: str) -> None:
    found = controls(catalog, system.platform, phase)
    bad = {name: one["results"] for name, one in found.items() if one["status"] in ("failed", "error")}
    assert not bad, bad
    passed = [name for name, one in found.items() if one["status"] == "passed"]
    assert len(passed) >= system.min_passed, f"too few controls passed ({len(passed)}): {passed}"
    for one in found.values():
        reasons = [result["message"] for result in one["results"] if result["outcome"] == "skipped"]
        assert one["status"] != "skipped" or all(reasons), one


def test_login_user_and_system(instance: Instance, system: System) -> None:
    assert instance.ssh("whoami").strip() == system.user
    assert re.search(rf'(?m)^ID="?{system.id}"?$', instance.ssh("cat /etc/os-release"))


def test_rpm_and_dnf_record_the_changes(sandbox: Sandbox, instance: Instance, system: System, tmp_path: Path) -> None:
    """The vendor AMI has old packages, so that the update is visible in the database and the history."""
    if system.platform not in RPM_SYSTEMS:
        pytest.skip("a platform without rpm")
    query = "rpm -q --qf '%{NAME} %{VERSION}\\n' vendor-agent vendor-tools ed; true"
    source = newest(sandbox, system.source)
    with running_instance(sandbox, source, tmp_path, user=system.user) as vendor:
        before = vendor.ssh(query)
    assert before.splitlines()[:2] == ["vendor-agent 1.0", "vendor-tools 1.0"], before
    assert "package ed is not installed" in before
    after = instance.ssh(query)
    assert after.splitlines()[:2] == ["vendor-agent 1.1", "vendor-tools 1.1"], after
    assert after.splitlines()[2].startswith("ed "), after
    history = instance.ssh("for n in 1 2 3; do sudo dnf -q history info $n; done")
    assert re.search(r"(?m)^ *Upgrade +vendor-agent-1\.1", history), history
    assert re.search(r"(?m)^ *Install +ed-", history), history
    assert instance.ssh("sudo rpm -V vendor-agent ed && echo intact").strip() == "intact"


def newest(sandbox: Sandbox, source: dict[str, str]) -> str:
    found = sandbox.client("ec2").describe_images(
        Owners=[source["owner"]], Filters=[{"Name": "name", "Values": [source["name"]]}]
    )["Images"]
    newest_id: str = max(found, key=lambda ami: ami["CreationDate"])["ImageId"]
    return newest_id


def test_no_key_of_the_builder_is_left(instance: Instance) -> None:
    """Every authorized key is the key of the test's own instance. cloud-init installs it for the login user and root."""
    lines = instance.ssh("sudo find / -xdev -name authorized_keys -size +0 -exec cat {} +").splitlines()
    own = subprocess.run(["ssh-keygen", "-y", "-f", instance.key], capture_output=True, text=True, check=True).stdout
    assert lines and all(own.split()[1] in line for line in lines), lines


WRONG = {
    "amazon-linux on RHEL": ("amazon-linux", RHEL.source, "Red Hat Enterprise Linux 9", "rhel"),
    "rhel on Amazon Linux": ("rhel", AMAZON_LINUX.source, "Amazon Linux 2023", "amazon-linux"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_system_is_rejected_before_any_change(sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    platform, source, system, right = WRONG[case]
    catalog = Catalog(sandbox, tmp_path / "wrong", "wrong", quick=False)
    catalog.image("base", platform=platform, source=source, packages=["ed"])
    before = list_cloud(sandbox)
    results = catalog.release(want=4)
    assert results["base"]["status"] == "failed"
    assert system in catalog.last.err and f"set `platform: {right}` in images/base.yaml" in catalog.last.err
    assert "dnf" not in (catalog.run / "base/packer.log").read_text(), "the check runs before dnf"
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))


def test_debian_source_of_ubuntu_image_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    """Debian has no login user `ubuntu`. The login fails before a script can compare the system with the platform."""
    catalog = Catalog(sandbox, tmp_path / "wrong", "wrong", quick=False)
    catalog.image("base", platform="ubuntu", source=VENDOR)
    before = list_cloud(sandbox)
    results = catalog.release(want=4)
    assert results["base"]["status"] == "failed"
    assert "the source does not accept the login user `ubuntu` (platform `ubuntu`)" in catalog.last.err, catalog.last
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
