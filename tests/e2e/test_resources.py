"""Every resource on a real root: a check passes, the root is changed, and the check fails. testinfra agrees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from support.checking import Checker, CheckRun, add_ids
from support.debian_root import EQUIPMENT, Server, cached_root, server, writable_root
from support.instance import Instance, running_instance
from support.resource_cases import ROWS, ResourceCase
from support.run import REPO
from support.sandbox import Sandbox

IDS = [row.name for row in ROWS]
AGREED = {"file", "package", "service", "kernel_parameter", "passwd", "sshd_config"}
"""Resources for which an independent tool has an answer."""
HERE = [row for row in ROWS if row.place != "booted"]
BOOTED = [row for row in ROWS if row.place == "booted"]


def documented_resources() -> set[str]:
    """Returns the resources of the generated reference."""
    _, _, resources = (REPO / "docs/reference/checks.md").read_text().partition("\n## Resources\n")
    return set(re.findall(r"(?m)^### (\w+)$", resources.partition("\n## ")[0]))


def test_every_resource_has_a_case() -> None:
    assert len(set(IDS)) == len(IDS)
    assert documented_resources() == {row.resource for row in ROWS}
    assert {row.resource for row in ROWS if row.oracle} == AGREED


def connect_oracle(target: Server) -> Any:
    return testinfra.get_host("ssh://stock", ssh_config=str(target.config), controlpersist=0)


def assert_oracle_agrees(row: ResourceCase, answer: CheckRun, target: Server, control: str) -> None:
    """Asserts that the oracle agrees."""
    if row.oracle:
        assert row.oracle(connect_oracle(target)) == (answer.outcome(control) == "passed"), answer.messages(control)


@pytest.fixture(scope="module")
def prepared_root() -> Iterator[Path]:
    """Returns a root on which all checks pass."""
    with writable_root(cached_root(EQUIPMENT)) as root:
        yield root


def checks(rows: list[ResourceCase]) -> list[dict[str, Any]]:
    return add_ids([{"phase": ["boot"], **row.check} for row in rows])


@pytest.fixture(scope="module")
def before(prepared_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns the outcome of each check before any change, with one run for each kind of place."""
    found = {}
    for place in ("root", "own"):
        rows = [row for row in HERE if row.place == place]
        with server(prepared_root, tmp_path_factory.mktemp(place), own_kernel=place == "own") as target:
            for row in rows:
                if row.prepare:
                    target.sh(row.prepare)
            answer = Checker(tmp_path_factory.mktemp("before"), checks(rows)).judge(target)
            for number, row in enumerate(rows):
                found[row.name] = f"{answer.outcome(f'c{number}')}: {answer.messages(f'c{number}')}"
                assert_oracle_agrees(row, answer, target, f"c{number}")
    return found


@pytest.mark.parametrize("row", HERE, ids=[row.name for row in HERE])
def test_change_of_root_changes_verdict(
    row: ResourceCase, before: dict[str, str], prepared_root: Path, tmp_path: Path
) -> None:
    assert before[row.name].startswith("passed: "), before[row.name]
    with (
        writable_root(prepared_root) as root,
        server(root, tmp_path / "server", own_kernel=row.place == "own") as target,
    ):
        if row.place == "own" and row.prepare:
            target.sh(row.prepare)  # what runs is gone with the server before
        if callable(row.flip):
            row.flip(target)
        else:
            target.sh(row.flip)
        answer = Checker(tmp_path / "catalog", checks([row])).judge(target)
        assert answer.outcome("c0") == row.becomes, answer.messages("c0")
        assert_oracle_agrees(row, answer, target, "c0")


@pytest.fixture(scope="module")
def booted(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yields an instance of the vendor's Debian 12 with a running service manager."""
    at = tmp_path_factory.mktemp("booted")
    images = sandbox.client("ec2").describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])[
        "Images"
    ]
    with running_instance(sandbox, max(images, key=lambda one: str(one["CreationDate"]))["ImageId"], at) as machine:
        machine.ssh("cloud-init status --wait >/dev/null 2>&1; sudo systemctl is-system-running --wait || true")
        yield as_server(machine, at)


def as_server(machine: Instance, at: Path) -> Server:
    (at / "known_hosts").write_text(f"{machine.address} ssh-ed25519 {machine.host_key()}\n")
    options = {"HostName": machine.address, "User": "admin", "IdentityFile": machine.key, "IdentitiesOnly": "yes"}
    options |= {"UserKnownHostsFile": at / "known_hosts", "StrictHostKeyChecking": "yes", "IdentityAgent": "none"}
    (at / "config").write_text("Host stock\n" + "".join(f"  {name} {value}\n" for name, value in options.items()))
    return Server(Path("/nonexistent"), 22, 0, at / "config", "ssh://stock")


def test_change_of_running_state_changes_verdict(booted: Server, tmp_path: Path) -> None:
    judged = Checker(tmp_path, checks(BOOTED))
    answer = judged.judge(booted)
    assert answer.outcomes() == {f"c{number}": "passed" for number in range(len(BOOTED))}, answer.done
    for number, row in enumerate(BOOTED):
        assert_oracle_agrees(row, answer, booted, f"c{number}")
    for number, row in enumerate(BOOTED):
        assert isinstance(row.flip, str)
        done = booted.ssh(f'sudo sh -euc "{row.flip.replace("$", chr(92) + "$")}"')
        assert done.returncode == 0, (row.name, done)
        answer = judged.judge(booted)
        assert answer.outcome(f"c{number}") == row.becomes, (row.name, answer.done)
        assert_oracle_agrees(row, answer, booted, f"c{number}")
