"""The state directory: its lock, what the running server left in it, and talking to that server."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

DEFAULT_DIR = "/var/lib/bakeline-sandbox"
LOCK_POLL = 0.1
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not for loopback


class CommandError(Exception):
    """A command can't do its work; the text names the cause and the fix."""


def default_dir() -> str:
    """Returns the state directory of commands without `--dir`."""
    return os.environ.get("BAKELINE_SANDBOX_DIR") or DEFAULT_DIR


class Store:
    """One state directory."""

    def __init__(self, path: Path) -> None:
        self.path, self.run, self.cache = path, path / "run", path / "cache"
        self._lock = -1

    def command(self, words: str) -> str:
        """Returns a command line for this sandbox, with `--dir` unless its directory is the default."""
        named = "" if self.path == Path(default_dir()).absolute() else f" --dir {shlex.quote(str(self.path))}"
        return f"bakeline sandbox {words}{named}"

    def state(self) -> dict[str, Any] | None:
        """What the server wrote about itself, if it did."""
        try:
            return json.loads((self.run / "state.json").read_text())
        except (OSError, ValueError):
            return None

    def env(self) -> dict[str, str]:
        """The clients' environment."""
        try:
            lines = (self.run / "env").read_text().splitlines()
        except PermissionError:
            text = f"{self.run / 'env'} belongs to who started the sandbox: use that user, or sudo"
            raise CommandError(text) from None
        except OSError:
            raise CommandError(f"the sandbox is not up: start it with `{self.command('up')}`") from None
        return dict(line.partition("=")[::2] for line in lines)

    def up(self) -> dict[str, Any] | None:
        """The state of a server that answers."""
        if state := self.state():
            try:
                DIRECT.open(f"{state['endpoint']}/_bakeline/control/status", timeout=30)
            except urllib.error.HTTPError:
                return state  # it refused us, so it is there
            except OSError:
                return None
        return state

    def ask(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call one of the server's own endpoints."""
        env = self.env()
        url, headers = (
            f"{env['AWS_ENDPOINT_URL']}/_bakeline/control/{verb}",
            {"X-Bakeline-Key": env["AWS_ACCESS_KEY_ID"]},
        )
        data = None if body is None else json.dumps(body).encode()
        try:
            with DIRECT.open(urllib.request.Request(url, data, headers), timeout=180) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise CommandError(json.loads(error.read() or b"{}").get("error", str(error))) from None
        except OSError as error:
            text = f"the sandbox doesn't answer ({error}): `{self.command('up')}` starts it again without its state"
            raise CommandError(text) from None

    def lock(self, seconds: float = 0) -> int | None:
        """Take the lock; it is held as long as any process has this descriptor open."""
        self.cache.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.cache / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lock = descriptor
                self.note_holder("command", os.getpid())
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(LOCK_POLL)

    def note_holder(self, role: str, pid: int) -> None:
        """Write into the lock who holds it."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{role} {pid}".encode(), 0)

    def holder(self) -> tuple[str, int]:
        """Who holds the lock."""
        role, _, pid = (self.cache / "lock").read_text().partition(" ")
        return role, int(pid or 0)

    def clear(self) -> None:
        """Remove everything volatile; never follows into another file system."""
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.run)], check=True)


def is_server(pid: int) -> bool:
    """Whether a process is a sandbox's server, and not another that got its number."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"bakeline_sandbox" in words and b"serve" in words
