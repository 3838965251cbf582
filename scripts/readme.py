#!/usr/bin/env python3
"""Regenerates the output blocks of the README from the commands above them. --check only compares."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DURATION = re.compile(r"\b\d+\.\d s\b")
BLOCK = re.compile(r"(<!-- output: (.+?) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def program_path() -> str:
    """Returns the path of bakeline, from $BAKELINE or the target directory."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("BAKELINE", str(target / "debug" / "bakeline"))


def command_output(command: str) -> str:
    """Returns stdout and stderr of a command, without paths and durations of this machine."""
    arguments = [program_path(), *shlex.split(command)[1:]]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "80"}
    result = subprocess.run(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    text = DURATION.sub("0.1 s", result.stdout.replace(f"{ROOT}/", ""))
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes or compares the blocks."""
    old = README.read_text()
    new = BLOCK.sub(lambda m: m.group(1) + command_output(m.group(2)) + m.group(4), old)
    if "--check" not in sys.argv:
        README.write_text(new)
        return 0
    if new != old:
        print("README.md: an output block differs from the output of the program; run `make readme`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
