"""Runs programs on a pseudo-terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .run import HANG


class Terminal:
    """A process whose controlling terminal is a pseudo-terminal."""

    def __init__(self, args: list[str], cwd: Path, env: Mapping[str, str], columns: int) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        # Only the controlling terminal of a session sends a signal for ^C. Background jobs of a shell ignore it.
        words = ["setsid", "--ctty", "env", "--default-signal=INT", *args]
        self._process = subprocess.Popen(words, cwd=cwd, env=dict(env), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._bytes = b""

    @property
    def shown(self) -> str:
        """The output so far."""
        return self._bytes.decode("utf-8", "replace").replace("\r\n", "\n")

    def _read(self, is_enough: Callable[[bytes], bool]) -> bool:
        """Reads until the new output is enough. Returns false if the program closes the terminal before."""
        begun, end = len(self._bytes), time.monotonic() + HANG
        while not is_enough(self._bytes[begun:]):
            assert time.monotonic() < end, self.shown
            if not select.select([self._ours], [], [], 1)[0]:
                continue
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:
                return False  # Linux reports the end of a terminal as an error.
            if not chunk:
                return False
            self._bytes += chunk
        return True

    def press(self, prompt: str, keys: str) -> None:
        """Waits until new output ends with the prompt, and sends the keys."""
        assert self._read(lambda new: new.endswith(prompt.encode())), self.shown
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Reads the remaining output and returns the exit code, or the negative number of a signal."""
        self._read(lambda _: False)
        os.close(self._ours)
        return self._process.wait(HANG)


def run_on_terminal(args: list[str], cwd: Path, env: Mapping[str, str], columns: int) -> str:
    """Runs a program on a terminal of this width and returns what it prints."""
    terminal = Terminal(args, cwd, env, columns)
    terminal.end()
    return terminal.shown
