"""Records a command in the format of asciinema: https://docs.asciinema.org/manual/asciicast/v2/."""

import bisect
import codecs
import fcntl
import itertools
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable

Event = tuple[float, str]
"""Time in seconds since the start, and the output."""
COLUMNS, ROWS = 80, 24


def record_command(command: list[str]) -> tuple[list[Event], int]:
    """Runs a command on a terminal and returns its output with times, and its exit code. Also prints the output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    # Programs ask the terminal for its size.
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm-256color"
    start = time.monotonic()
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        events, decoder = [], codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := read_chunk(ours):
            text = decoder.decode(chunk)
            events.append((time.monotonic() - start, text))
            sys.stderr.write(text)
    os.close(ours)
    return events, process.returncode


def read_chunk(terminal: int) -> bytes:
    """Reads the next output. Returns nothing at its end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Returns a pattern for words that are not parts of longer ones: `/root` is not in `tour/rootfs`."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<![\w.~-])({'|'.join(map(re.escape, longest_first))})(?![\w-])")


def hide_words(events: list[Event], words: dict[str, str]) -> list[Event]:
    """Replaces words of this machine, such as paths, also if two events contain the parts of one."""
    pattern = word_pattern(words)
    text = "".join(text for _, text in events)
    # Each character of the replacement appears when the last one of the word did.
    ends = list(itertools.accumulate(len(text) for _, text in events))
    hidden = [""] * len(events)
    begun = 0
    for found in [*pattern.finditer(text), None]:
        until = found.start() if found else len(text)
        for position in range(begun, until):
            hidden[bisect.bisect_right(ends, position)] += text[position]
        if found:
            hidden[bisect.bisect_right(ends, found.end() - 1)] += words[found.group(1)]
            begun = found.end()
    return [(at, text) for (at, _), text in zip(events, hidden, strict=True) if text]


def shorten_pauses(events: list[Event], longest: float) -> list[Event]:
    """Limits the time between two events in seconds."""
    out: list[Event] = []
    before = now = 0.0
    for at, text in events:
        now += min(at - before, longest)
        before = at
        out.append((now, text))
    return out


def write_cast(path: pathlib.Path, events: list[Event], title: str) -> None:
    """Writes a recording."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title}
    rows = [json.dumps(header), *(json.dumps([round(at, 3), "o", text]) for at, text in events)]
    path.write_text("\n".join(rows) + "\n")


def read_cast(path: pathlib.Path) -> list[Event]:
    """Reads the output of a recording."""
    rows = [json.loads(row) for row in path.read_text().splitlines()[1:]]
    return [(at, text) for at, kind, text in rows if kind == "o"]
