#!/usr/bin/env python3
"""Regenerates the generated parts of the README and of the book: output blocks and reference tables. --check only compares."""

import pathlib
import re
import sys

from pages import commands, error_codes, schema_keys
from pages.program import ROOT, command_output

OUTPUT = re.compile(r"(<!-- output: (.+?) -->\n\n?```\w*\n)(.*?)(```\n)", re.DOTALL)
GENERATED = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end of generated text -->\n)", re.DOTALL)

GENERATORS = {
    "commands": commands.command_sections,
    "exit codes": commands.exit_code_table,
    "error codes": error_codes.code_sections,
    "keys of bakeline.yaml": lambda: schema_keys.key_sections("bakeline"),
    "keys of image files": lambda: schema_keys.key_sections("image"),
    "keys of profiles": lambda: schema_keys.key_sections("profile"),
    "keys of waivers.yaml": lambda: schema_keys.key_sections("waivers"),
}


def page_paths() -> list[pathlib.Path]:
    """Returns the README and all pages of the book."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def regenerated(text: str) -> str:
    """Returns a page with new output blocks and new generated parts."""
    text = OUTPUT.sub(lambda m: m.group(1) + command_output(m.group(2)) + m.group(4), text)
    return GENERATED.sub(lambda m: f"{m.group(1)}\n{GENERATORS[m.group(2)]().strip()}\n\n{m.group(4)}", text)


def main() -> int:
    """Writes or compares the pages."""
    outdated = []
    for path in page_paths():
        old = path.read_text()
        new = regenerated(old)
        if new == old:
            continue
        outdated.append(path.relative_to(ROOT))
        if "--check" not in sys.argv:
            path.write_text(new)
    if "--check" not in sys.argv:
        return 0
    for path in outdated:
        print(f"{path}: a generated part differs from the program; run `make docs`", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
