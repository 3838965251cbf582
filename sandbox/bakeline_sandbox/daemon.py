"""Runs the server as a daemon and writes its state files."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

from .backends.base import BaseBackend
from .backends.selection import create_backend
from .server import REGION, SandboxServer
from .state_dir import StateDirectory
from .vendor_roots import VendorRoots

LOG = logging.getLogger("bakeline_sandbox")


def run_daemon(
    state_dir: StateDirectory, backend_name: str, reason: str, port: int, is_realistic: bool
) -> int:
    """Serves until SIGTERM; standard error is the log file."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    roots = VendorRoots(state_dir.path)

    def create_root_version(debian: str, serial: str) -> str:
        layer = f"{debian}-{serial}"
        if backend_name == "stub":
            return layer
        # After a reset, the same version is published again.
        return (
            layer if (roots.layers_dir / layer).exists() else roots.create_version(debian, serial)
        )

    backend = create_backend(state_dir.path, backend_name)
    if isinstance(backend, BaseBackend):
        backend.build_root = lambda name: roots.build_on_demand(name, LOG.info)
    server = SandboxServer(backend, state_dir, create_root_version, port, is_realistic=is_realistic)
    server.start()
    _write_state(state_dir.run_dir, server, backend_name, reason)
    LOG.info("serving on %s with backend %s", server.endpoint, backend_name)
    stop.wait()
    LOG.info("stopping")
    server.stop()
    logging.shutdown()
    os._exit(0)  # without waiting for queued work of instances that no longer exist


def _write_state(run_dir: Path, server: SandboxServer, backend_name: str, reason: str) -> None:
    """Writes the environment for clients and, when all other files exist, the state file."""
    variables = server.client_environment().items()
    write_private_file(run_dir / "env", "".join(f"{name}={value}\n" for name, value in variables))
    names = {"server": "server.log", "api": "api.jsonl", "slack": "slack.jsonl"}
    logs = {name: run_dir / file for name, file in names.items()}
    for log in logs.values():
        log.touch()
    state = {
        "pid": os.getpid(),
        "endpoint": server.endpoint,
        "backend": backend_name,
        "why": reason,
        "realistic": server.state.conditions.is_realistic,
        "region": REGION,
        "started": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "env": str(run_dir / "env"),
        "logs": {name: str(path) for name, path in logs.items()},
    }
    part = run_dir / "state.json.part"
    part.write_text(json.dumps(state, indent=2) + "\n")
    part.rename(run_dir / "state.json")


def write_private_file(path: Path, text: str) -> None:
    """Writes a file that only its owner can read: the user who called sudo, or root."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    if os.geteuid() == 0 and (uid := os.environ.get("SUDO_UID", "")).isdigit():
        os.chown(part, int(uid), int(os.environ.get("SUDO_GID") or -1))
    part.rename(path)
