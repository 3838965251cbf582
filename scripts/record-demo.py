#!/usr/bin/env python3
"""Records `make demo`, or another command, on a terminal of 80 columns and renders it as docs/demo.svg.

Run `cargo build` before, so that the recording does not contain the compilation. With --from, renders an earlier recording.
"""

import argparse
import getpass
import os
import pathlib
import platform
import re

from recording.cast import hide_words, read_cast, record_command, shorten_pauses, word_pattern, write_cast
from recording.svg import render_svg

ROOT = pathlib.Path(__file__).resolve().parent.parent
LARGEST = 300_000
SECRET = re.compile(r"AKIA|ASIA|glpat-|hooks\.slack\.com|PRIVATE KEY|/home/|/Users/|/root/")


def machine_words() -> dict[str, str]:
    """Returns the words of this machine with their replacements."""
    words = {str(ROOT): "~/bakeline", str(pathlib.Path.home()): "~", platform.node(): "host"}
    if target := os.environ.get("CARGO_TARGET_DIR"):
        words[target] = "target"
    # Short words, such as the home directory `/`, occur in other texts.
    return {word: shown for word, shown in words.items() if len(word) > 3}


def private_texts(svg: str) -> set[str]:
    """Returns texts of a rendered recording that must not be published."""
    words = {*machine_words(), getpass.getuser()} - {"root", "admin"}
    return {*word_pattern(words).findall(svg), *SECRET.findall(svg)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=pathlib.Path, help="recording to render instead of a command")
    parser.add_argument("--cast", type=pathlib.Path, help="file for the recording (asciicast v2)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/demo.svg")
    parser.add_argument("--pause", type=float, default=1.0, help="longest pause in seconds")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="command to record [default: make demo]")
    args = parser.parse_args()
    command = args.command or ["make", "demo"]
    [(_, title)] = hide_words([(0, f"Recording of {' '.join(command)}")], machine_words())
    if args.source:
        events = read_cast(args.source)
    else:
        events, code = record_command(command)
        events = hide_words(events, machine_words())
        if code != 0:
            raise SystemExit(f"record-demo.py: `{' '.join(command)}` ended with exit code {code}")
    if not events:
        raise SystemExit("record-demo.py: the command printed nothing")
    svg = render_svg(shorten_pauses(events, args.pause), title)
    if found := private_texts(svg):
        raise SystemExit(f"record-demo.py: the recording contains {', '.join(sorted(found))}; nothing was written")
    if len(svg.encode()) > LARGEST:
        raise SystemExit(f"record-demo.py: the SVG has {len(svg.encode())} bytes, at most {LARGEST} are allowed")
    if args.cast:
        write_cast(args.cast, events, title)
    args.output.write_text(svg)
    print(f"wrote {args.output}: {len(svg.encode())} bytes")


if __name__ == "__main__":
    main()
