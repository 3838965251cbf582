"""The Debian package in Debian 12 and 13: dpkg, man and the completions of three shells are the judges."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import time
from pathlib import Path

import pytest
from conftest import Root

HANG = 120.0
BASH = ". /usr/share/bash-completion/bash_completion; "
LOAD = "_completion_loader bakeline 2>/dev/null || _comp_load bakeline; "


def page_names(debian: Root) -> list[str]:
    folder = debian.path / "usr/share/man/man1"
    return sorted(path.name.removesuffix(".1.gz") for path in folder.glob("bakeline*.1.gz"))


def test_package_installs_and_program_runs(debian: Root) -> None:
    assert "install ok installed" in debian.run("dpkg", "-s", "bakeline")
    assert debian.run("dpkg", "--verify", "bakeline") == ""
    version = json.loads(debian.run("bakeline", "version", "--json"))
    assert version["version"] in debian.run("dpkg-query", "-W", "bakeline")
    debian.run("bakeline", "init", "/tmp/catalog", "--region", "eu-central-1")
    assert "all valid" in debian.run("bakeline", "-C", "/tmp/catalog", "validate")


def test_man_shows_each_page_without_warnings(debian: Root) -> None:
    names = page_names(debian)
    assert {"bakeline", "bakeline-release", "bakeline-show-image"} <= set(names)
    for name in names:
        page = debian.run("man", "--warnings", "-P", "cat", name)
        assert re.search(r"^NAME\n +bakeline", page, re.MULTILINE), page
        assert "warning" not in page.split("NAME")[0], page
        # clap_mangen writes a superfluous line break around lists of values.
        found = debian.run("mandoc", "-Tlint", "-Wwarning", f"/usr/share/man/man1/{name}.1.gz", want=None)
        warnings = [line for line in found.splitlines() if "skipping paragraph macro: br" not in line]
        assert warnings == []


def test_bash_finds_completions(debian: Root) -> None:
    assert "-F _bakeline" in debian.run("bash", "-c", BASH + LOAD + "complete -p bakeline")


COMPLETIONS = {
    "promo": "promote",
    "show ima": "show image",
    "completions fi": "completions fish",
}


@pytest.mark.parametrize("typed", COMPLETIONS)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes_on_terminal(debian: Root, shell: str, typed: str) -> None:
    start = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
    setup = {"bash": BASH, "zsh": "autoload -Uz compinit && compinit -u; "}[shell]
    line = complete_on_terminal(debian.path, start, setup, f"bakeline {typed}")
    assert line == f"bakeline {COMPLETIONS[typed]}"


@pytest.mark.parametrize(
    "typed, word", [("promo", "promote"), ("show ima", "image"), ("validate --format co", "codequality")]
)
def test_fish_completes(debian: Root, typed: str, word: str) -> None:
    offered = debian.run("fish", "-c", f"complete -C 'bakeline {typed}'")
    assert word in [row.split("\t")[0] for row in offered.splitlines()]


def complete_on_terminal(root: Path, start: list[str], setup: str, typed: str) -> str:
    """Returns what a shell makes of a line after TAB. The shell prints the completed line itself, with `echo` at its start."""
    process, terminal = pty.fork()
    if process == 0:
        os.chroot(root)
        os.chdir("/")
        os.execvpe(start[0], start, {"PATH": "/usr/bin:/bin", "TERM": "dumb", "HOME": "/root", "LC_ALL": "C.UTF-8"})
    try:
        os.write(terminal, f"{setup}echo READY=$((40+2))\n".encode())
        read_until(terminal, r"READY=42")
        os.write(terminal, f"{typed}\t".encode())
        time.sleep(1)
        os.write(terminal, b"\x01echo DONE=$((40+2)) \n")
        found = read_until(terminal, r"DONE=42 ([^\r\n]*?) *[\r\n]")
        return found.group(1)
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def read_until(terminal: int, pattern: str) -> re.Match[str]:
    """Reads from a terminal until its output matches."""
    shown, end = "", time.monotonic() + HANG
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
        if found := re.search(pattern, shown):
            return found
    pytest.fail(f"no {pattern!r} in {shown!r}")
