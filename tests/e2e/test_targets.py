"""Checks on an AMI, an instance, a directory, a chroot and over SSH differ only in documented facts."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.instance import running_instance
from support.inventory import describe_difference, list_cloud
from support.run import HANG, REPO, wait_until
from support.sandbox import Sandbox

Facts = dict[str, Any]
CHECKS: list[dict[str, Any]] = [
    {"id": "file", "file": "/etc/shadow", "owner": "root", "mode": {"at_most": "0640"}},
    {"id": "content", "file": "/etc/os-release", "content": {"include": "bookworm"}},
    {"id": "absent", "file": "/no/such/file", "exists": False},
    {"id": "package", "package": "openssh-server"},
    {"id": "no-package", "package": "telnetd", "installed": False},
    {"id": "service", "service": "ssh", "enabled": True, "running": True},
    {"id": "command", "command": "id -u", "stdout": "0\n"},
    {"id": "mount", "mount": "/", "mounted": True},
    {"id": "os", "os": "this", "name": "debian"},
    {"id": "virtualization", "virtualization": "this", "container": True},
]
# One check of each further resource, to compare its results between kinds of target.
MORE: list[dict[str, Any]] = [
    {"id": "files", "files": "/etc", "name": "*.conf", "max_depth": 1, "paths": {"include": "/etc/adduser.conf"}},
    {"id": "acl", "acl": "/etc/shadow", "extended": False},
    {"id": "kernel_parameter", "kernel_parameter": "kernel.randomize_va_space", "running": "2"},
    {"id": "kernel_configured", "kernel_parameter": "kernel.pid_max", "configured": "4194304"},
    {"id": "cloud_init", "cloud_init": "this", "installed": True},
    {"id": "kernel_module", "kernel_module": "cramfs", "loaded": False},
    {"id": "fstab", "fstab": "/home", "configured": False},
    {"id": "passwd", "passwd": "all", "users": {"include": "root"}},
    {"id": "etc_group", "etc_group": "all", "names": {"include": "root"}},
    {"id": "shadow", "shadow": "all", "users": {"include": "root"}},
    {"id": "login_path", "login_path": "root", "directories": {"include": "/usr/sbin"}},
    {"id": "cpu", "cpu": "this", "flags": {"empty": False}},
    {"id": "sshd_config", "sshd_config": "file", "UsePAM": "yes"},
    {"id": "sshd_effective", "sshd_config": "effective", "UsePAM": "yes"},
    {"id": "ssh_config", "ssh_config": "file", "HashKnownHosts": "yes"},
    {"id": "login_defs", "login_defs": "/etc/login.defs", "UMASK": "022"},
    {"id": "processes", "processes": "sshd", "running": True},
    {"id": "authorized_keys", "authorized_keys": "all", "unsafe": {"empty": True}},
    {"id": "host_keys", "host_keys": "all", "exposed": {"empty": True}},
    {"id": "machine_id", "machine_id": "this", "state": {"in": ["absent", "empty", "uninitialized", "present"]}},
    {"id": "packages", "packages": "openssh-*", "names": {"include": "openssh-server"}},
    {"id": "time_sync", "time_sync": "this", "synchronised": True},
    {"id": "port", "port": "22", "listening": True, "processes": {"include": "sshd"}},
    {"id": "unit", "unit": "ssh.service", "Restart": "on-failure"},
    {"id": "failed_units", "failed_units": "all", "names": {"empty": True}},
    {"id": "repositories", "repositories": "all", "uris": {"empty": False}},
    {"id": "cron", "cron": "system", "denied": {"empty": True}},
]
# sshd creates its own keys before it starts, independently of cloud-init.
OWN_KEYS = """set -eu
mkdir -p /etc/systemd/system/ssh.service.d
cat > /etc/systemd/system/ssh.service.d/keys.conf <<'X'
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'mkdir -p /run/sshd; rm -f /etc/ssh/ssh_host_*; ssh-keygen -A'
X
"""


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("targets"), "targets")
    made.image("app", source=VENDOR, checks=[{**check, "phase": ["build", "boot"]} for check in CHECKS])
    made.image("all", source=VENDOR, checks=[{**check, "phase": ["boot"]} for check in CHECKS + MORE])
    yield made


def vendor(sandbox: Sandbox) -> str:
    """Returns the vendor AMI whose root also exists as a directory."""
    query = [{"Name": "name", "Values": [VENDOR["name"]]}]
    images = sandbox.client("ec2").describe_images(Owners=[VENDOR["owner"]], Filters=query)["Images"]
    return str(max(images, key=lambda ami: ami["CreationDate"])["ImageId"])


def check_target(catalog: Catalog, *words: str, path: str = "") -> tuple[Facts, dict[str, Any]]:
    """Runs a check and returns its facts and report."""
    kept = catalog.at / "facts.json"
    kept.unlink(missing_ok=True)
    env = {"PATH": f"{path}:{os.environ['PATH']}"} if path else {}
    done = catalog.bakeline("check", "all", *words, "--phase", "boot", "--json", "--save-facts", str(kept), env=env)
    assert done.code in (0, 3), done
    return json.loads(kept.read_text()), json.loads(done.out)


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {verdict["control"]: verdict["outcome"] for verdict in report["verdicts"]}


def facts_by_key(facts: Facts) -> dict[str, Any]:
    """Returns every fact by its key."""
    out = {f"identity/{name}": value for name, value in facts["identity"].items()}
    for kind, answers in facts["readings"].items():
        out |= {f"{kind}/{key}": answer for key, answer in answers.items()}
    return out


def table(mark: str) -> list[list[str]]:
    """Returns the rows of a table in docs/reference/targets.md."""
    text = (REPO / "docs/reference/targets.md").read_text().split(f"<!-- {mark} -->")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return rows[2:]


def assert_differences(one: Facts, other: Facts, column: int) -> None:
    """Asserts that facts differ in keys with `yes` in this column, optionally in those with `may`, and in no others."""
    ours, theirs = facts_by_key(one), facts_by_key(other)
    differ = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    must, may = ([row[0].strip("`") for row in table("differences") if row[column] == word] for word in ("yes", "may"))
    surprising = {key for key in differ if not any(fnmatch.fnmatchcase(key, pattern) for pattern in must + may)}
    told = {key: (ours.get(key), theirs.get(key)) for key in sorted(surprising)}
    assert not told, f"not in docs/reference/targets.md: {json.dumps(told, indent=1)[:4000]}"
    needless = [pattern for pattern in must if not fnmatch.filter(differ, pattern)]
    assert not needless, f"docs/reference/targets.md lists what does not differ: {needless}"


def only_where_said(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Asserts that verdicts differ only for resources in the table."""
    named = {row[0].strip("`") for row in table("verdicts")}
    ours, theirs = outcomes(one), outcomes(other)
    differ = {control for control in ours if ours[control] != theirs[control]}
    assert {check["id"] for check in CHECKS + MORE} == ours.keys() == theirs.keys()
    resource = {check["id"]: list(check)[1] for check in CHECKS + MORE}
    assert {resource[control] for control in differ} <= named, differ


@pytest.fixture(scope="module")
def root(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yields the vendor root with the mounts that a chroot needs."""
    at = tmp_path_factory.mktemp("stock") / "root"
    subprocess.run(["cp", "-a", f"{(sandbox.dir / 'run/layers/debian-12').resolve()}/.", at], check=True)
    mounts = [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")]
    try:
        for kind, where in mounts:
            subprocess.run(["mount", "-t", kind, kind, at / where], check=True)
        yield at
    finally:
        for _, where in reversed(mounts):
            subprocess.run(["umount", "-l", at / where], check=False)
        shutil.rmtree(at.parent)


@pytest.fixture(scope="module")
def inside(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Returns a directory with a program `ssh` that runs the command in the chroot."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "ssh").write_text(f'#!/bin/sh\nfor remote; do :; done\nexec chroot {root} sh -c "$remote"\n')
    (folder / "ssh").chmod(0o755)
    return str(folder)


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Yields the arguments for SSH to the chroot's own sshd on loopback."""
    keys = tmp_path_factory.mktemp("keys")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Its files are on a file system of their own, so that the root stays as it is.
    subprocess.run(["mount", "-t", "tmpfs", "none", root / "mnt"], check=True)
    shutil.copy(keys / "host", root / "mnt/host")
    shutil.copy(keys / "user.pub", root / "mnt/user.pub")
    subprocess.run(["mkdir", "-p", root / "run/sshd"], check=True)
    options = [f"Port={port}", "ListenAddress=127.0.0.1", "HostKey=/mnt/host", "AuthorizedKeysFile=/mnt/user.pub"]
    options += ["PermitRootLogin=prohibit-password", "UsePAM=no", "PidFile=none", "StrictModes=no"]
    command = ["chroot", root, "/usr/sbin/sshd", "-D", "-f", "/dev/null", *[f"-o{option}" for option in options]]
    daemon = subprocess.Popen(command)

    def up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(up, HANG, "sshd in the chroot")
        (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
        yield [
            f"ssh://root@127.0.0.1:{port}", "--identity", str(keys / "user"), "--known-hosts", str(keys / "known"),
            "--ssh-config", "/dev/null",
        ]  # fmt: skip
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["umount", "-l", root / "mnt"], check=True)
        subprocess.run(["rmdir", root / "run/sshd"], check=False)


def test_facts_of_one_root_differ_in_the_listed_keys_only(
    sandbox: Sandbox, catalog: Catalog, root: Path, inside: str, server: list[str]
) -> None:
    directory, as_directory = check_target(catalog, str(root))
    chroot, in_chroot = check_target(catalog, "ssh://root@chroot", path=inside)
    ssh, over_ssh = check_target(catalog, *server)
    before = list_cloud(sandbox)
    instance, on_instance = check_target(catalog, vendor(sandbox))
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert_differences(directory, chroot, 1)
    assert_differences(chroot, ssh, 2)
    assert_differences(directory, instance, 3)
    for one, other in ((as_directory, in_chroot), (in_chroot, over_ssh), (as_directory, on_instance)):
        only_where_said(one, other)
    # A directory is judged as far as it goes, and nothing in it lies.
    known = {check["id"] for check in CHECKS}
    assert {outcomes(as_directory)[control] for control in known} == {"passed", "skipped"}
    # The host decides the mounts of a container.
    assert {control for control in known if outcomes(on_instance)[control] != "passed"} == {"mount"}
    assert outcomes(on_instance)["mount"] == "skipped"


def test_check_of_ami_takes_no_lock_and_cleans_up(sandbox: Sandbox, catalog: Catalog) -> None:
    ami = vendor(sandbox)
    before, runs, mark = list_cloud(sandbox), set(catalog.runs()), sandbox.mark()
    done = catalog.bakeline("check", "app", ami, "--output", "reports", want=0)
    assert "0 to do" not in done.err and list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert sandbox.changes(mark).count("RunInstances") == 1
    assert not (catalog.at / ".bakeline/store/targets/runs").exists(), "a sweep would take a run that it knows for dead"
    assert not list((catalog.at / ".bakeline/store").glob("**/locks/**/*.json"))
    names = sorted(path.name for path in (catalog.at / "reports").iterdir())
    assert names == [
        "checks-boot.html", "checks-boot.inspec.json", "checks-boot.json", "checks-boot.junit.xml", "checks-boot.txt",
        "packages-boot.cdx.json",
    ]  # fmt: skip
    [run] = set(catalog.runs()) - runs
    hosts = (run / "app/known_hosts.boot").read_text().splitlines()
    assert sorted(line.split()[1] for line in hosts) == ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"], hosts
    left = "".join(path.read_text(errors="replace") for path in run.rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in left, "neither the host's nor the user's"
    catalog.bakeline("check", "app", "ami-00000000000000000", want=6)


def test_profile_judges_running_instance(sandbox: Sandbox, catalog: Catalog, tmp_path: Path) -> None:
    catalog.file("profiles/one.yaml", json.dumps({"checks": [{"id": "one", "command": "id -u", "stdout": "0\n"}]}))
    with running_instance(sandbox, vendor(sandbox), tmp_path) as machine:
        machine.ssh("true")
        words = ["check", "--profile", "one", machine.id, "--identity", str(machine.key), "--known-hosts"]
        known = tmp_path / "known"
        known.write_text("")
        refused = catalog.bakeline(*words, str(known), want=4)
        assert "host key is not known" in refused.err, refused
        known.write_text(f"{machine.address} ssh-ed25519 {machine.host_key()}\n")
        done = catalog.bakeline(*words, str(known), "--json", want=0)
        assert [v["control"] for v in json.loads(done.out)["verdicts"]] == ["one"]
    gone = catalog.bakeline(*words, str(known))
    assert gone.code in (6, 7), gone


def test_instance_with_wrong_host_key_is_refused(sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("scripts/keys.sh", OWN_KEYS)
    catalog.image("other", source=VENDOR, scripts=["scripts/keys.sh"], checks=[{"file": "/etc/passwd"}])
    before = list_cloud(sandbox)
    catalog.release("other", want=4)
    assert "the AMI contains a host key, or creates one at boot" in catalog.last.err, catalog.last
    assert "may be another machine" not in catalog.last.err and "--known-hosts" not in catalog.last.err, catalog.last
    assert "CreateImage" in sandbox.changes(0), "it came as far as its boot"
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))


def test_release_writes_all_reports_of_both_phases(sandbox: Sandbox, catalog: Catalog) -> None:
    (catalog.at / "images/other.yaml").unlink(missing_ok=True)
    result = catalog.release("app")["app"]
    assert result["status"] == "released" and "passed" in result["checks"], result
    for phase in ("build", "boot"):
        for name in (
            f"checks-{phase}.txt", f"checks-{phase}.json", f"checks-{phase}.inspec.json", f"checks-{phase}.junit.xml",
            f"checks-{phase}.html", f"packages-{phase}.cdx.json", f"facts-{phase}.json",
        ):  # fmt: skip
            assert (catalog.run / "app" / name).stat().st_size > 500, name
        report = json.loads((catalog.run / f"app/checks-{phase}.json").read_text())
        assert report["phase"] == phase and len(report["packages"]) > 50
        assert len(report["verdicts"]) == sum(len(p["controls"]) for p in report["profiles"]) == len(CHECKS)
        junit = (catalog.run / f"app/checks-{phase}.junit.xml").read_text()
        assert len(re.findall("<testcase ", junit)) >= len(CHECKS)
    version = result["version"]
    store = catalog.at / f".bakeline/store/targets/images/app/x86_64/{version}"
    kept = {phase: store / name for phase, name in (("boot", "facts.json"), ("build", "facts-build.json"))}
    for phase, path in kept.items():
        again = catalog.bakeline("check", "app", "--facts", str(path), "--json", want=0)
        report = json.loads(again.out)
        assert report["phase"] == phase and len(report["verdicts"]) == len(CHECKS)
