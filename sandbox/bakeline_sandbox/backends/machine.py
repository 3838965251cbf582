"""Holds the state of one instance on the host."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from ..instance_backend import InstanceSpec


class Machine:
    """System of one instance: its folder, its disk layers and its first process.

    `lock` serializes everything that boots, ends or freezes the instance.
    """

    def __init__(self, spec: InstanceSpec, folder: Path) -> None:
        self.spec, self.folder, self.lock = spec, folder, threading.RLock()
        self.name, self.root, self.layers = spec.instance_id, folder / "root", tuple(spec.layers)
        self.console = folder / "console.log"
        self.process: subprocess.Popen[bytes] | None = None  # nspawn, or the ssh server

    def spawn(self, command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process that writes to the console and is not ended by a ^C for the server."""
        with self.console.open("ab") as console:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
                start_new_session=True,
            )

    def take_process(self) -> subprocess.Popen[bytes] | None:
        """Returns the first process and forgets it, so that its end does not count as an exit."""
        process, self.process = self.process, None
        return process

    def log(self, text: object) -> None:
        """Appends a line to the console log."""
        with self.console.open("a") as console:
            console.write(f"\n{text}\n")

    def console_tail(self) -> str:
        """Returns the last lines of the console log, for an error message."""
        lines = self.console.read_text(errors="replace").strip().splitlines()[-3:]
        return " | ".join(lines) or "(empty)"
