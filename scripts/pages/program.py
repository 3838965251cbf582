"""Runs bakeline for the book."""

import os
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WIDTH = 80
DURATION = re.compile(r"\b\d+\.\d s\b")


def program_path() -> str:
    """Returns the path of bakeline, from $BAKELINE or the target directory."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("BAKELINE", str(target / "debug" / "bakeline"))


def run_program(arguments: list[str], directory: pathlib.Path = ROOT) -> str:
    """Returns stdout and stderr of bakeline in a terminal of 80 columns, without paths and durations of this machine."""
    return run_command([program_path(), *arguments], directory)


def run_sandbox(arguments: list[str]) -> str:
    """Returns the output of `bakeline sandbox`. The environment of the linters has the Python packages that it needs."""
    return run_command([str(ROOT / ".venv/bin/python"), "-m", "bakeline_sandbox", *arguments], ROOT / "sandbox")


def run_command(command: list[str], directory: pathlib.Path) -> str:
    """Returns stdout and stderr of a command."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": str(WIDTH)}
    result = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    text = DURATION.sub("0.1 s", result.stdout.replace(f"{directory}/", ""))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def command_output(command: str) -> str:
    """Returns the output of a command line that begins with `bakeline`."""
    return run_program(shlex.split(command)[1:])
