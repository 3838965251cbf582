"""`bakeline init` on a terminal of 80 columns: a real pty asks, a person answers, stops or errs. PyYAML and jsonschema judge."""

from __future__ import annotations

import configparser
import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.run import BAKELINE, run
from support.terminal import Terminal

PROMPT = "]: "
DEFAULTS = ("", "", "", "", "", "")
ENVIRONMENT = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "HOME": "/nonexistent"}


def open_terminal(args: list[str], cwd: Path, env: dict[str, str] | None = None) -> Terminal:
    return Terminal(args, cwd, ENVIRONMENT | (env or {}), columns=80)


def answer(terminal: Terminal, *answers: str) -> None:
    for text in answers:
        terminal.press(PROMPT, f"{text}\n")


def files_below(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def assert_valid_catalog(folder: Path) -> None:
    """The schemas that the editor settings name accept the files of the catalog."""
    schemas = json.loads((folder / ".vscode/settings.json").read_text())["yaml.schemas"]
    checked = set()
    for schema, pattern in schemas.items():
        validator = jsonschema.Draft7Validator(json.loads((folder / schema).read_text()))
        for path in folder.glob(pattern.lstrip("/")):
            assert not list(validator.iter_errors(yaml.safe_load(path.read_text()))), path
            checked.add(path)
    assert checked == {folder / "bakeline.yaml", *folder.glob("images/*.yaml")} and len(checked) > 2
    editor = configparser.ConfigParser()
    editor.read_string((folder / ".editorconfig").read_text())
    assert editor["*.{yaml,yml,json,sh}"]["end_of_line"] == "lf"
    assert run([BAKELINE, "validate"], folder, ENVIRONMENT).code == 0


def test_empty_answers_write_a_catalog_with_defaults(tmp_path: Path) -> None:
    folder = tmp_path / "My_Images"
    folder.mkdir()
    terminal = open_terminal([BAKELINE, "init"], folder, {"AWS_DEFAULT_REGION": "eu-west-3"})
    answer(terminal, *DEFAULTS)
    assert terminal.end() == 0, terminal.shown
    assert "wrote bakeline.yaml" in terminal.shown and "bakeline release" in terminal.shown
    assert max(map(len, terminal.shown.splitlines())) <= 80 and "\x1b" not in terminal.shown, terminal.shown
    assert_valid_catalog(folder)
    settings = yaml.safe_load((folder / "bakeline.yaml").read_text())
    assert (settings["name"], settings["regions"]) == ("my-images", ["eu-west-3"]) and "account" not in settings
    assert {p.stem for p in folder.glob("images/*")} == {"debian-13", "example"} and not (
        folder / ".gitlab-ci.yml"
    ).exists()
    # The printed command writes the same files.
    [command] = [line.strip() for line in terminal.shown.splitlines() if line.startswith("  bakeline init")]
    again = tmp_path / "again"
    again.mkdir()
    run(["sh", "-c", command.replace("bakeline", f"'{BAKELINE}'", 1)], again, ENVIRONMENT, want=0)
    assert files_below(again) == files_below(folder)


def test_wrong_answers_are_asked_again(tmp_path: Path) -> None:
    terminal = open_terminal([BAKELINE, "init", "acme"], tmp_path)
    answer(terminal, "Acme", "acme; rm -rf /", "gehärtet", "acme", "1234", "111111111111")
    answer(terminal, "eu-west-1a", "us-gov-west-1, us-gov-east-1", "none of them", "222222222222 333333333333")
    answer(terminal, "debain-12", "debian-12 rhel-9", "$(id)", "yes")
    assert terminal.end() == 0, terminal.shown
    for reason in ("`Acme` is not a valid catalog name", "did you mean `debian-12`?", "use yes or no"):
        assert reason in " ".join(terminal.shown.split()), terminal.shown
    assert max(map(len, terminal.shown.splitlines())) <= 80, terminal.shown
    folder = tmp_path / "acme"
    assert_valid_catalog(folder)
    settings = yaml.safe_load((folder / "bakeline.yaml").read_text())
    assert (settings["name"], settings["account"]) == ("acme", "111111111111")
    assert settings["regions"] == ["us-gov-west-1", "us-gov-east-1"]
    prod = settings["environments"][1]
    assert prod["accounts"] == ["222222222222", "333333333333"] and prod["role"].startswith(
        "arn:aws-us-gov:iam::222222222222:"
    )
    assert {p.stem for p in folder.glob("images/*")} == {"debian-12", "rhel-9", "example"}
    [include] = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())["include"]
    assert include["inputs"]["read_role"] == "arn:aws-us-gov:iam::111111111111:role/bakeline-acme-read"


@pytest.mark.parametrize("count", [0, 3, 5])
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["interrupt", "end"])
def test_interrupt_and_end_of_input_write_nothing(tmp_path: Path, key: str, count: int) -> None:
    terminal = open_terminal([BAKELINE, "init", "acme"], tmp_path)
    answer(terminal, *DEFAULTS[:count])
    terminal.press(PROMPT, key)
    assert terminal.end() == (-signal.SIGINT if key == "\x03" else 2), terminal.shown
    if key == "\x04":
        assert "the input ended before the last question" in terminal.shown and "nothing was written" in terminal.shown
    assert not list(tmp_path.iterdir())


def test_existing_files_are_kept(tmp_path: Path) -> None:
    mine = {"bakeline.yaml": "mine\n", ".gitlab-ci.yml": "job: {script: [true]}\n", ".editorconfig": "root = true\n"}
    (tmp_path / "bakeline.yaml").write_text(mine["bakeline.yaml"])
    terminal = open_terminal([BAKELINE, "init"], tmp_path)
    assert terminal.end() == 1 and "bakeline.yaml already exists" in terminal.shown and PROMPT not in terminal.shown
    assert files_below(tmp_path) == {"bakeline.yaml": "mine\n"}
    # A repository with a pipeline and settings of its own gets a catalog, too.
    (tmp_path / "bakeline.yaml").unlink()
    for name in (".gitlab-ci.yml", ".editorconfig"):
        (tmp_path / name).write_text(mine[name])
    terminal = open_terminal([BAKELINE, "init"], tmp_path)
    answer(terminal, *DEFAULTS[:5])
    assert terminal.end() == 0 and "kept .editorconfig" in terminal.shown, terminal.shown
    assert all(files_below(tmp_path)[name] == mine[name] for name in (".gitlab-ci.yml", ".editorconfig"))


# `setpriv` removes the capability with which root writes to any directory.
UNPRIVILEGED = '[ "$(id -u)" != 0 ] || set -- setpriv --bounding-set=-dac_override -- "$@"; exec "$@"'
# No file may have more than 16 KiB. The schema of an image has more, so that a write fails in its middle.
LIMITED = "trap '' XFSZ; ulimit -f 32; exec \"$@\""


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "flags"])
@pytest.mark.parametrize(("limit", "reason"), [(LIMITED, "File too large"), (UNPRIVILEGED, "Permission denied")])
def test_failed_write_leaves_nothing(tmp_path: Path, limit: str, reason: str, asked: bool) -> None:
    (tmp_path / "here").mkdir(mode=0o555 if limit == UNPRIVILEGED else 0o755)
    terminal = open_terminal(
        ["sh", "-c", limit, "sh", BAKELINE, "init", "here/new/acme", *([] if asked else ["--region", "us-east-1"])],
        tmp_path,
    )
    answer(terminal, *(DEFAULTS if asked else ()))
    assert terminal.end() == 4 and reason in terminal.shown and "are removed" in terminal.shown, terminal.shown
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["here"]


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=64k none "$1" && cd "$1" && "$2" init --region us-east-1; echo $?; ls -A'
    (tmp_path / "disk").mkdir()
    done = run(["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path / "disk"), BAKELINE], tmp_path, ENVIRONMENT)
    if "permission denied" in done.err.lower() or "operation not permitted" in done.err.lower():
        pytest.skip("cannot mount a file system")
    assert done.out == "4\n" and "No space left on device" in done.err, done


@pytest.mark.parametrize("more", [[], ["--name", "acme", "--gitlab"]])
def test_without_terminal_the_message_names_the_flags(tmp_path: Path, more: list[str]) -> None:
    done = run([BAKELINE, "init", *more], tmp_path, ENVIRONMENT, want=2)
    for flag in ("--region REGION", "--name", "--account", "--prod-account", "--os", "--gitlab"):
        assert flag in done.err, done
    # Answers in a pipe are not read: a script uses the flags.
    answers = ["sh", "-c", f"yes '' | '{BAKELINE}' init"]
    done = run(answers, tmp_path, ENVIRONMENT, want=2)
    assert "--region REGION" in done.err and not list(tmp_path.iterdir())
