"""The server process: moto with our extension behind the guard, on one loopback port."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import string
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .backends.base import Backend
from .call import JsonLines
from .control import Control
from .faults import Faults
from .guard import Guard
from .store import Store
from .webhook import Webhook

LOG = logging.getLogger("bakeline_sandbox")
REGION = "eu-central-1"
MOTO = {  # moto reads some of it when it is imported, so below it is imported late
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_S3_ALLOW_CROSSDOMAIN_ACCESS": "false",
}
DRAIN_SECONDS = 120


class Sandbox:
    """One running sandbox; `port` is known once it is made."""

    def __init__(
        self, backend: Backend, store: Store, refresh: Callable[[str, str], str], port: int = 0, pending: float = 0.5
    ) -> None:
        os.environ.update(MOTO)
        os.environ.pop("MOTO_ACCOUNT_ID", None)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # its log of requests would hold the webhook's token
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        from . import ec2
        from .ec2 import others, world

        self.backend, self.store, self.run, self.refresh = backend, store, store.run, refresh
        self.key = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
        self.secret, self.token = secrets.token_urlsafe(30), secrets.token_urlsafe(24)
        self.publishing = threading.Lock()
        self.world = world.World(backend, pending)
        ec2.install(self.world)
        faults = Faults()
        own = Control(self.key, Webhook(self.token, self.run / "slack.jsonl"), faults, self.reset, self.publish)
        moto, log = DomainDispatcherApplication(create_backend_app), JsonLines(self.run / "api.jsonl")
        app = Guard(moto, own, self.key, log, others.principal, store.command, faults)
        self.server = make_server("127.0.0.1", port, app, threaded=True)
        self.port = self.server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def env(self) -> dict[str, str]:
        """What a client's environment has to hold."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BAKELINE_SLACK_WEBHOOK_URL": f"{self.endpoint}/_bakeline/slack/{self.token}",
        }

    def start(self) -> None:
        """Prepare the host and answer calls."""
        self.backend.open(self.world.ended)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more calls, end every instance, give the host back."""
        self.server.shutdown()
        self.backend.close()

    def reset(self) -> None:
        """End every instance and forget everything but the vendor's AMIs."""
        from moto.core.base_backend import BackendDict
        from moto.core.model_instances import reset_model_data

        from .ec2 import vendor, world

        deadline, emptied = time.monotonic() + DRAIN_SECONDS, False
        while not emptied:
            with self.world.lock:
                for instance in world.instances():
                    instance.terminate()
                if emptied := not self.world.queues:
                    layers = set(self.world.frozen)
                    vendor.begin()
                    self.world.forget()
                    BackendDict.reset()
                    reset_model_data()
            if not emptied and time.monotonic() > deadline:
                left = ", ".join(self.world.queues)
                hint = self.store.command("down")
                raise TimeoutError(f"after {DRAIN_SECONDS} s these still run: {left}; use `{hint}`")
            time.sleep(0.05)
        for layer in layers:
            self.backend.drop_layer(layer)

    def publish(self, debian: str) -> str:
        """Publish a newer vendor AMI; returns its name."""
        from .ec2 import vendor

        if debian not in vendor.RELEASES:
            raise ValueError(f"{debian}: the vendor publishes {' and '.join(vendor.RELEASES)}")
        with self.publishing:
            date, serial = vendor.following(debian)
            layer = self.refresh(debian, f"{date:%Y%m%d}-{serial}")  # copies a root: the API goes on meanwhile
            release = vendor.Release(debian, layer, date, serial)
            with self.world.lock:
                vendor.publish(release)
            return release.name


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: whoever called sudo, or root."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    if os.geteuid() == 0 and (uid := os.environ.get("SUDO_UID", "")).isdigit():
        os.chown(part, int(uid), int(os.environ.get("SUDO_GID") or -1))
    part.rename(path)


def serve(store: Store, wanted: str, why: str, port: int) -> int:
    """The daemon: runs until SIGTERM. Its standard error is the log file."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from .backends.pick import pick
    from .roots import Roots

    stop, run, roots = threading.Event(), store.run, Roots(store.path)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def refresh(debian: str, serial: str) -> str:
        layer = f"{debian}-{serial}"
        return layer if (roots.layers / layer).exists() else roots.refresh(debian, serial)

    sandbox = Sandbox(pick(store.path, wanted)[0], store, refresh, port)
    sandbox.start()
    write_private(run / "env", "".join(f"{name}={value}\n" for name, value in sandbox.env().items()))
    logs = {"server": run / "server.log", "api": run / "api.jsonl", "slack": run / "slack.jsonl"}
    for log in logs.values():
        log.touch()
    state = {
        "pid": os.getpid(),
        "endpoint": sandbox.endpoint,
        "backend": wanted,
        "why": why,
        "region": REGION,
        "started": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "env": str(run / "env"),
        "logs": {name: str(path) for name, path in logs.items()},
    }
    (run / "state.json.part").write_text(json.dumps(state, indent=2) + "\n")
    (run / "state.json.part").rename(run / "state.json")
    LOG.info("serving on %s with the backend %s", sandbox.endpoint, wanted)
    stop.wait()
    LOG.info("stopping")
    sandbox.stop()
    logging.shutdown()
    os._exit(0)  # work still queued for instances that are gone must not hold the process
