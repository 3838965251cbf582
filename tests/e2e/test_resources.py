"""Every resource on a real root: a check of it holds, the root is changed, and the verdict turns over; testinfra says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from support.checking import Answer, Checker, names
from support.debian_root import EQUIPMENT, Server, cached_root, fresh, server
from support.instance import Guest, guest
from support.resource_cases import ROWS, Row
from support.run import REPO
from support.sandbox import Sandbox

IDS = [row.name for row in ROWS]
AGREED = {"file", "package", "service", "kernel_parameter", "passwd", "sshd_config"}
"""Of these an independent tool knows the answer, too."""
HERE = [row for row in ROWS if row.place != "booted"]
BOOTED = [row for row in ROWS if row.place == "booted"]


def listed() -> set[str]:
    """The resources of the reference, which is made of the program."""
    _, _, resources = (REPO / "docs/checks.md").read_text().partition("\n## Resources\n")
    return set(re.findall(r"(?m)^### (\w+)$", resources.partition("\n## ")[0]))


def test_no_resource_is_forgotten() -> None:
    assert len(set(IDS)) == len(IDS)
    assert listed() == {row.resource for row in ROWS}
    assert {row.resource for row in ROWS if row.oracle} == AGREED


def oracle(target: Server) -> Any:
    return testinfra.get_host("ssh://stock", ssh_config=str(target.config), controlpersist=0)


def told(row: Row, answer: Answer, target: Server, control: str) -> None:
    """The oracle sees what we see."""
    if row.oracle:
        assert row.oracle(oracle(target)) == (answer.outcome(control) == "passed"), answer.said(control)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """What all checks hold on."""
    with fresh(cached_root(EQUIPMENT)) as root:
        yield root


def checks(rows: list[Row]) -> list[dict[str, Any]]:
    return names([{"phase": ["boot"], **row.check} for row in rows])


@pytest.fixture(scope="module")
def before(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outcome of each check before anything was changed, all in one run for each kind of place; and the oracles'."""
    found = {}
    for place in ("root", "own"):
        rows = [row for row in HERE if row.place == place]
        with server(prepared, tmp_path_factory.mktemp(place), own_kernel=place == "own") as target:
            for row in rows:
                if row.prepare:
                    target.sh(row.prepare)
            answer = Checker(tmp_path_factory.mktemp("before"), checks(rows)).ask(target)
            for number, row in enumerate(rows):
                found[row.name] = f"{answer.outcome(f'c{number}')}: {answer.said(f'c{number}')}"
                told(row, answer, target, f"c{number}")
    return found


@pytest.mark.parametrize("row", HERE, ids=[row.name for row in HERE])
def test_a_change_turns_the_verdict_over(row: Row, before: dict[str, str], prepared: Path, tmp_path: Path) -> None:
    assert before[row.name].startswith("passed: "), before[row.name]
    with fresh(prepared) as root, server(root, tmp_path / "server", own_kernel=row.place == "own") as target:
        if row.place == "own" and row.prepare:
            target.sh(row.prepare)  # what runs is gone with the server before
        if callable(row.flip):
            row.flip(target)
        else:
            target.sh(row.flip)
        answer = Checker(tmp_path / "catalog", checks([row])).ask(target)
        assert answer.outcome("c0") == row.becomes, answer.said("c0")
        told(row, answer, target, "c0")


@pytest.fixture(scope="module")
def booted(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An instance of the vendor's Debian 12, on which a service manager runs."""
    at = tmp_path_factory.mktemp("booted")
    images = box.client("ec2").describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"]
    with guest(box, max(images, key=lambda one: str(one["CreationDate"]))["ImageId"], at) as machine:
        machine.ssh("cloud-init status --wait >/dev/null 2>&1; sudo systemctl is-system-running --wait || true")
        yield as_server(machine, at)


def as_server(machine: Guest, at: Path) -> Server:
    (at / "known_hosts").write_text(f"{machine.address} ssh-ed25519 {machine.host_key()}\n")
    options = {"HostName": machine.address, "User": "admin", "IdentityFile": machine.key, "IdentitiesOnly": "yes"}
    options |= {"UserKnownHostsFile": at / "known_hosts", "StrictHostKeyChecking": "yes", "IdentityAgent": "none"}
    (at / "config").write_text("Host stock\n" + "".join(f"  {name} {value}\n" for name, value in options.items()))
    return Server(Path("/nonexistent"), 22, 0, at / "config", "ssh://stock")


def test_a_change_to_what_runs_turns_the_verdict_over(booted: Server, tmp_path: Path) -> None:
    judged = Checker(tmp_path, checks(BOOTED))
    answer = judged.ask(booted)
    assert answer.outcomes() == {f"c{number}": "passed" for number in range(len(BOOTED))}, answer.done
    for number, row in enumerate(BOOTED):
        told(row, answer, booted, f"c{number}")
    for number, row in enumerate(BOOTED):
        assert isinstance(row.flip, str)
        done = booted.ssh(f'sudo sh -euc "{row.flip.replace("$", chr(92) + "$")}"')
        assert done.returncode == 0, (row.name, done)
        answer = judged.ask(booted)
        assert answer.outcome(f"c{number}") == row.becomes, (row.name, answer.done)
        told(row, answer, booted, f"c{number}")
