"""Runs programs on a pseudo-terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from .run import HANG


def run_on_terminal(args: list[str], cwd: Path, env: Mapping[str, str], columns: int) -> str:
    """Runs a program on a terminal of this width and returns what it prints."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(args, cwd=cwd, env=dict(env), stdin=theirs, stdout=theirs, stderr=theirs) as started:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:
            pass  # The terminal closes when the program ends.
        started.wait(timeout=HANG)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")
