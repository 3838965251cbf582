"""Manages the state directory: its lock, the running server's files, and calls to that server."""

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

from .errors import CommandError

DEFAULT_DIR = "/var/lib/bakeline-sandbox"
LOCK_POLL_SECONDS = 0.1
CONTROL_PATH = "/_bakeline/control"
KEY_HEADER = "X-Bakeline-Key"
# Requests to loopback must not go through a proxy of the environment.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def default_dir() -> str:
    """Returns the state directory of commands without `--dir`."""
    return os.environ.get("BAKELINE_SANDBOX_DIR") or DEFAULT_DIR


class StateDirectory:
    """State directory of one local EC2: `run/` for the server, `cache/` for vendor roots."""

    def __init__(self, path: Path) -> None:
        self.path, self.run_dir, self.cache_dir = path, path / "run", path / "cache"
        self._lock = -1

    def command_line(self, arguments: str) -> str:
        """Returns a command for this local EC2, with `--dir` unless the default applies."""
        is_default = self.path == Path(default_dir()).absolute()
        option = "" if is_default else f" --dir {shlex.quote(str(self.path))}"
        return f"bakeline sandbox {arguments}{option}"

    def read_state(self) -> dict[str, Any] | None:
        """Returns the state file of the server, or None if it does not exist."""
        try:
            return json.loads((self.run_dir / "state.json").read_text())
        except (OSError, ValueError):
            return None

    def write_backend(self, name: str) -> None:
        """Records the backend of a server that is about to start."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        (self.run_dir / "backend").write_text(name)

    def read_backend(self) -> str:
        """Returns the backend of the last server, or the default for an older state directory."""
        try:
            return (self.run_dir / "backend").read_text()
        except OSError:
            return str((self.read_state() or {}).get("backend", "nspawn"))

    def read_environment(self) -> dict[str, str]:
        """Returns the environment variables for clients."""
        path = self.run_dir / "env"
        try:
            lines = path.read_text().splitlines()
        except PermissionError:
            text = f"cannot read `{path}`: it belongs to the user who started the local EC2"
            raise CommandError(f"{text}; switch to that user, or use sudo") from None
        except OSError:
            command = self.command_line("up")
            raise CommandError(f"the local EC2 is not running: start it with `{command}`") from None
        return dict(line.partition("=")[::2] for line in lines)

    def running_state(self) -> dict[str, Any] | None:
        """Returns the state of the server, or None if it does not answer."""
        if state := self.read_state():
            try:
                _OPENER.open(f"{state['endpoint']}{CONTROL_PATH}/status", timeout=30)
            except urllib.error.HTTPError:
                return state  # the server denied this request without a key, so it runs
            except OSError:
                return None
        return state

    def call_control_api(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Calls the control API of the server: POST with a body, GET without."""
        environment = self.read_environment()
        url = f"{environment['AWS_ENDPOINT_URL']}{CONTROL_PATH}/{verb}"
        headers = {KEY_HEADER: environment["AWS_ACCESS_KEY_ID"]}
        data = None if body is None else json.dumps(body).encode()
        try:
            with _OPENER.open(urllib.request.Request(url, data, headers), timeout=180) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise CommandError(json.loads(error.read() or b"{}").get("error", str(error))) from None
        except OSError as error:
            text = f"the local EC2 does not answer ({error})"
            hint = f"`{self.command_line('up')}` starts a new one; the old state is lost"
            raise CommandError(f"{text}: {hint}") from None

    def acquire_lock(self, seconds: float = 0) -> int | None:
        """Locks the directory; returns the descriptor, or None if it is still locked at the end.

        The lock lasts as long as any process has the descriptor open.
        """
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.cache_dir / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lock = descriptor
                self.write_lock_holder("command", os.getpid())
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(LOCK_POLL_SECONDS)

    def write_lock_holder(self, role: str, pid: int) -> None:
        """Writes the role and process ID of the holder into the lock file."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{role} {pid}".encode(), 0)

    def read_lock_holder(self) -> tuple[str, int]:
        """Returns role ("command" or "server") and process ID of the lock's holder."""
        role, _, pid = (self.cache_dir / "lock").read_text().partition(" ")
        return role, int(pid or 0)

    def remove_run_dir(self) -> None:
        """Deletes everything except the cache, without crossing into another file system."""
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.run_dir)], check=True)


def is_server_process(pid: int) -> bool:
    """Returns True if the process is a server of a local EC2, not a process that reuses its ID."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"bakeline_sandbox" in arguments and b"serve" in arguments
