"""Whole outputs of the commands that change nothing: on a terminal of 80 columns, piped, and as JSON. boto3 lists the AMIs
that they must name."""

from __future__ import annotations

import json
import re

import pytest
from support.run import BAKELINE
from support.sandbox import Sandbox
from support.seeded_history import ONE, PRUNE_AT_ONCE, SECOND, TWO, SeededHistory, create_catalog
from support.state import OTHER, OWN, Location
from support.terminal import run_on_terminal

HOME = "eu-central-1"
AMI = re.compile(r"ami-[0-9a-f]{17}")
REPLACED = [
    (AMI, "ami-" + "0" * 17),
    (re.compile(r"debian-12-amd64-\d{8}-\d{4}"), "debian-12-amd64-DATE-SERIAL-"),
    (re.compile(r"of \d{4}-\d\d-\d\d"), "of YYYY-MM-DD"),
    (re.compile(rf"\b(?!{ONE}|{TWO})20\d{{6}}\.1\b"), "YYYYMMDD.1"),
    (re.compile(r"-> [0-9a-f]{12}$", re.MULTILINE), "-> digest"),
    (re.compile(r"\b\d+ of \d+ inputs"), "NN of NN inputs"),
]
OUTPUTS = {
    "plan": """\
IMAGE  ACTION  VERSION     REASON
k0     build   YYYYMMDD.1  recipe changed since 20260102.1 (inputs unknown: the
                           manifest of 20260102.1 is not in the store)
                           source is newer: debian-12-amd64-DATE-SERIAL-
                           (ami-00000000000000000) of YYYY-MM-DD after ami-1
                           checks changed since 20260102.1 (controls unknown:
                           the manifest of 20260102.1 is not in the store)
                           builds on debian-12-amd64-DATE-SERIAL-
                           (ami-00000000000000000)
wave 1: k0 (duration unknown)
""",
    "list": """\
IMAGE
  VERSION     AMI                    LOCATION                   STATE
k0
  20260102.1  ami-00000000000000000  eu-central-1               current in Test
  20260101.1  ami-00000000000000000  eu-central-1               current in Prod
  20260101.1  ami-00000000000000000  us-east-1                  current in Prod
  20260101.1  ami-00000000000000000  222222222222.eu-central-1  current in Prod
  20260101.1  ami-00000000000000000  222222222222.us-east-1     current in Prod
""",
    "prune": """\
IMAGE  VERSION     ACTION  AMI                    REASON
k0     20260102.1  keep    ami-00000000000000000  current in Test
k0     20260101.1  keep    4 AMIs                 current in Prod
""",
    "why k0": """\
k0 20260102.1 (ami-00000000000000000) was built by run r
next release: build (recipe changed since 20260102.1 (inputs unknown: the
  manifest of 20260102.1 is not in the store); source is newer:
  debian-12-amd64-DATE-SERIAL- (ami-00000000000000000) of YYYY-MM-DD after
  ami-1; checks changed since 20260102.1 (controls unknown: the manifest of
  20260102.1 is not in the store))
the store has no manifest of this version; only digests are compared
CHANGED  INPUT
yes      recipe: x -> digest
yes      checks: x -> digest
yes      source: ami-1 -> ami-00000000000000000
NN of NN inputs are unchanged or unknown; --all lists them
""",
    "explain k0": """\
k0 20260102.1 (x86_64), released
  base       eu-central-1:ami-1
  run        r
  checks     not in the store
  AMI        ami-00000000000000000 in eu-central-1, account 123456789012: Test
    current  Test since 2026-01-02T00:00:00Z
    used by  parameter /bakeline/whole/k0/Test/x86_64 in eu-central-1
    prune    keep: current in Test
""",
    "doctor": """\
LOCATION               FINDING
store .bakeline/store  no facts of k0 (x86_64) 20260101.1, 20260102.1
                       repair: none, this evidence cannot be recreated
store .bakeline/store  no facts of the build of k0 (x86_64) 20260101.1,
                       20260102.1
                       repair: none, this evidence cannot be recreated
store .bakeline/store  no recipe of k0 (x86_64) 20260101.1, 20260102.1
                       repair: none, this evidence cannot be recreated
store .bakeline/store  no result of the run of k0 (x86_64) 20260101.1
                       repair: none, this evidence cannot be recreated
tags and pointers are consistent; the store lacks evidence (4 findings)
""",
    "latest k0 --env Prod": "ami-00000000000000000\n",
}
"""Output of each command on a terminal. AMIs, dates and digests are replaced."""
PLACES: dict[str, dict[str, list[Location]]] = {
    "list": {TWO: [(OWN, HOME)], ONE: [(OWN, HOME), (OWN, SECOND), (OTHER, HOME), (OTHER, SECOND)]},
    "prune": {TWO: [(OWN, HOME)], ONE: [(OWN, HOME), (OWN, SECOND), (OTHER, HOME), (OTHER, SECOND)]},
    "why k0": {TWO: [(OWN, HOME)]},
    "explain k0": {TWO: [(OWN, HOME)]},
    "latest k0 --env Prod": {ONE: [(OWN, HOME)]},
}
"""Versions and locations of the AMIs in the JSON of a command."""


@pytest.fixture(scope="module")
def history(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SeededHistory:
    sandbox.reset()
    catalog = create_catalog(sandbox, tmp_path_factory.mktemp("whole"), "whole", **PRUNE_AT_ONCE)
    history = SeededHistory(sandbox, catalog)
    assert history.image(promoted=False)[0] == "k0"
    return history


def normalize(text: str) -> str:
    """Replaces what differs between runs by texts of the same length, so that lines wrap at the same words."""
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    return text


def amis(history: SeededHistory, places: dict[str, list[Location]]) -> set[str]:
    """Returns the AMIs of these versions at these locations, as boto3 lists them."""
    found = set()
    for version, locations in places.items():
        for place in locations:
            for ami in history.observer.amis(place, "k0"):
                if {"Key": "bakeline:version", "Value": version} in ami["Tags"]:
                    found.add(ami["ImageId"])
    return found


@pytest.mark.parametrize("command", OUTPUTS)
def test_output_on_terminal_piped_and_as_json(history: SeededHistory, command: str) -> None:
    words, catalog = command.split(), history.catalog
    shown = run_on_terminal([BAKELINE, *words], catalog.at, catalog.env, columns=80)
    assert normalize(shown) == OUTPUTS[command]
    piped = catalog.bakeline(*words, want=0)
    assert sorted((piped.out + piped.err).splitlines()) == sorted(shown.splitlines()), "pipes get the same lines"
    document = catalog.bakeline(*words, "--json", want=0)
    assert json.loads(document.out) and "\x1b" not in shown + piped.out + document.out
    if command in PLACES:
        own = {
            ami
            for place in ((OWN, HOME), (OWN, SECOND), (OTHER, HOME), (OTHER, SECOND))
            for ami in listed(history, place)
        }
        assert set(AMI.findall(document.out)) & own == amis(history, PLACES[command])


def listed(history: SeededHistory, place: Location) -> set[str]:
    return {ami["ImageId"] for ami in history.observer.amis(place, "k0")}
