#!/usr/bin/env python3
"""Regenerates the README's blocks of output from the commands named above them; --check compares instead."""

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


def program() -> str:
    """The program under its usual place, or wherever $BAKELINE says."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("BAKELINE", str(target / "debug" / "bakeline"))


def output(command: str) -> str:
    """What a person would see: both streams in one, with this machine's own path left out and its speed."""
    arguments = [program(), *shlex.split(command)[1:]]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "110"}
    ran = subprocess.run(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    text = DURATION.sub("0.1 s", ran.stdout.replace(f"{ROOT}/", ""))
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes or compares."""
    old = README.read_text()
    new = BLOCK.sub(lambda m: m.group(1) + output(m.group(2)) + m.group(4), old)
    if "--check" not in sys.argv:
        README.write_text(new)
        return 0
    if new != old:
        print("README.md: a block of output is not what the program prints; run `make readme`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
