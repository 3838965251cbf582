"""Compares the two baselines with the verdicts of InSpec and dev-sec's profiles on a vendor root, control by control. Each
difference is explained by a documented trap of InSpec or its profiles."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checking import Checker, CheckRun
from support.debian_root import cached_root, server, writable_root
from support.run import REPO

DATA = Path(os.environ.get("BAKELINE_SHARED_DATA", REPO.parent / "shared/data")) / "inspec-baseline-verdicts.json"
PROFILES = ("linux-baseline", "ssh-baseline")

# Each trap: what InSpec does, then for each pair of verdicts (theirs, ours) the controls that it explains on a stock root.
TRAPS: list[tuple[str, dict[tuple[str, str], str]]] = [
    (
        (
            "InSpec judges the running kernel, even that of a host; bakeline judges the configuration of the image, and running values only "
            "where the kernel is the image's own, which a root with its host's kernel does not have"
        ),
        {
            ("passed", "failed"): "sysctl-01 sysctl-03 sysctl-04 sysctl-11 sysctl-12 sysctl-19 sysctl-31a sysctl-32",
            ("failed", "skipped"): "sysctl-29 sysctl-34",
            ("passed", "skipped"): "sysctl-33",
            ("empty", "skipped"): "os-12",
        },
    ),
    (
        "the profile compares a kernel parameter that is not there with a number, and raises an exception",
        {("error", "failed"): "sysctl-35"},
    ),
    (
        "a loop over nothing (none of these is mounted at the moment) gives no result; we ask what is configured",
        {("empty", "failed"): "os-16"},
    ),
    (
        "find -perm 4000 finds files that have setuid and no other bit at all; we find every setuid and setgid file",
        {("passed", "failed"): "os-06"},
    ),
    (
        (
            "InSpec reads sshd_config or ssh_config alone and takes what is not written there for absent (and compares lists as one "
            "text); we judge what is in force, with OpenSSH's defaults"
        ),
        {
            ("failed", "passed"): "ssh-02 ssh-03 ssh-05 ssh-07 ssh-08 ssh-11 ssh-12 ssh-13 ssh-18 ssh-19 ssh-20 "
            "sshd-01 sshd-06 sshd-07 sshd-08 sshd-11 sshd-12 sshd-14 sshd-17 sshd-20 sshd-22 sshd-23 sshd-25 sshd-28 "
            "sshd-30 sshd-32 sshd-33 sshd-34 sshd-37 sshd-38 sshd-41 sshd-43 sshd-46"
        },
    ),
    (
        "the option has another name since OpenSSH 8.7, which the profile does not know",
        {("failed", "passed"): "sshd-29"},
    ),
    (
        "the profile asks whether the key can be read where InSpec runs, and not on the target, so over SSH it never judges it",
        {("skipped", "passed"): "sshd-50"},
    ),
]
EXPLAINED = {control: pair for _, pairs in TRAPS for pair, controls in pairs.items() for control in controls.split()}


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    """InSpec's verdict of each control."""
    if not DATA.exists():
        pytest.skip(f"{DATA} is absent: nothing was compared (BAKELINE_SHARED_DATA names another folder)")
    told = json.loads(DATA.read_text())
    verdicts = [(one["id"], one["verdict_on_stock_root"]) for name in PROFILES for one in told[name]]
    assert len(verdicts) == len(dict(verdicts)) == 59 + 71
    return dict(verdicts)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckRun]:
    """Ours, over SSH as root, on a fresh stock root with the host's kernel, as the reference was made."""
    judged = Checker(tmp_path_factory.mktemp("catalog"), [], *PROFILES)
    for name in PROFILES:
        (judged.at / f"profiles/{name}.yaml").write_text((REPO / f"profiles/{name}.yaml").read_text())
    with writable_root(cached_root()) as root, server(root, tmp_path_factory.mktemp("stock")) as target:
        yield judged.judge(target)


def test_every_control_has_a_counterpart(reference: dict[str, str], ours: CheckRun) -> None:
    assert set(ours.verdicts) == set(reference)


def test_verdicts_match_inspec_except_documented_traps(reference: dict[str, str], ours: CheckRun) -> None:
    pairs = {control: (theirs, ours.outcome(control)) for control, theirs in reference.items()}
    differ = {control: pair for control, pair in pairs.items() if pair[0] != pair[1]}
    unexplained = {
        control: (pair, ours.messages(control)) for control, pair in differ.items() if control not in EXPLAINED
    }
    assert not unexplained, unexplained
    stale = {control: pair for control, pair in EXPLAINED.items() if pairs.get(control) != pair}
    assert not stale, f"the table says otherwise than it is: {stale}, but {[(c, pairs.get(c)) for c in stale]}"
    assert all(theirs != our for theirs, our in EXPLAINED.values()), "an entry that explains nothing"
    listed = [control for _, found in TRAPS for text in found.values() for control in text.split()]
    assert len(listed) == len(EXPLAINED), "a control is explained twice"


def test_every_trap_is_documented() -> None:
    noted = {}
    for name in PROFILES:
        for block in re.split(r"(?m)^  - (?=\{?id: )", (REPO / f"profiles/{name}.yaml").read_text())[1:]:
            noted[re.match(r"\{?(?:id): ([\w-]+)|id: ([\w-]+)", block).group(1)] = "trap: " in block  # type: ignore[union-attr]
    missing = [control for control in EXPLAINED if not noted.get(control)]
    assert not missing, f"the profile does not say why they differ: {missing}"
