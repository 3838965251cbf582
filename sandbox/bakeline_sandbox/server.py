"""Serves moto with the EC2 extension, behind the middleware, on one loopback port."""

from __future__ import annotations

import logging
import os
import secrets
import string
import threading
import time
from collections.abc import Callable

from .control import ControlApi
from .faults import FaultList
from .instance_backend import InstanceBackend
from .json_lines import JsonLines
from .middleware import Middleware
from .state_dir import StateDirectory
from .webhook import SlackWebhook

REGION = "eu-central-1"
# moto reads some of these variables when it is imported, so this module imports it late.
MOTO_ENVIRONMENT = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_S3_ALLOW_CROSSDOMAIN_ACCESS": "false",
}
DRAIN_SECONDS = 120
_BASE32 = string.ascii_uppercase + "234567"


class SandboxServer:
    """Server of one local EC2.

    `create_root_version` creates a newer version of a vendor root and returns its layer name.
    """

    def __init__(
        self,
        backend: InstanceBackend,
        state_dir: StateDirectory,
        create_root_version: Callable[[str, str], str],
        port: int = 0,
        pending_seconds: float = 0.5,
        is_realistic: bool = False,
    ) -> None:
        os.environ.update(MOTO_ENVIRONMENT)
        os.environ.pop("MOTO_ACCOUNT_ID", None)
        # werkzeug logs the paths of requests, and the webhook's path contains its token.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        from werkzeug.serving import make_server

        from . import ec2
        from .ec2 import sts_iam
        from .ec2.state import Ec2State
        from .moto_server import BackendDispatcher

        self.backend, self.state_dir = backend, state_dir
        self.create_root_version = create_root_version
        self.access_key = "AKIA" + "".join(secrets.choice(_BASE32) for _ in range(16))
        self.secret_key = secrets.token_urlsafe(30)
        self.webhook_token = secrets.token_urlsafe(24)
        self.publish_lock = threading.Lock()
        self.state = Ec2State(backend, pending_seconds, is_realistic)
        ec2.install(self.state)
        faults = FaultList()
        webhook = SlackWebhook(self.webhook_token, state_dir.run_dir / "slack.jsonl")
        app = Middleware(
            moto=BackendDispatcher(),
            control=ControlApi(self.access_key, webhook, faults, self.reset, self.publish),
            access_key=self.access_key,
            log=JsonLines(state_dir.run_dir / "api.jsonl"),
            find_principal=sts_iam.find_principal,
            command_line=state_dir.command_line,
            deny=self.state.conditions.deny,
            deny_identity=self.state.conditions.deny_identity,
            faults=faults,
        )
        self.server = make_server("127.0.0.1", port, app, threaded=True)
        self.port = self.server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def client_environment(self) -> dict[str, str]:
        """Returns the environment variables that clients need."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BAKELINE_SLACK_WEBHOOK_URL": f"{self.endpoint}/_bakeline/slack/{self.webhook_token}",
        }

    def start(self) -> None:
        """Prepares the host and begins to answer requests."""
        self.backend.open(self.state.handle_exit)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stops answering requests, ends all instances and restores the host."""
        self.server.shutdown()
        self.backend.close()

    def reset(self) -> None:
        """Ends all instances and deletes all state except the vendor AMIs."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while (layers := self._try_reset()) is None:
            if time.monotonic() > deadline:
                running = ", ".join(self.state.queues)
                hint = self.state_dir.command_line("down")
                text = f"after {DRAIN_SECONDS} s these instances still have work: {running}"
                raise TimeoutError(f"{text}; use `{hint}`")
            time.sleep(0.05)
        for layer in layers:
            self.backend.delete_layer(layer)

    def _try_reset(self) -> set[str] | None:
        """Terminates all instances; if none has work left, clears the state.

        Returns the disk layers to delete, or None if instances still have work.
        """
        from moto.core.base_backend import BackendDict
        from moto.core.model_instances import reset_model_data

        from .ec2 import vendor_images
        from .ec2.state import iter_instances

        with self.state.lock:
            for instance in iter_instances():
                instance.terminate()
            if self.state.queues:
                return None
            layers = set(self.state.frozen_layers)
            vendor_images.reset_releases()
            self.state.clear()
            BackendDict.reset()
            reset_model_data()
            return layers

    def publish(self, debian: str) -> str:
        """Publishes a newer vendor AMI and returns its name."""
        from .ec2 import vendor_images

        if debian not in vendor_images.PUBLISHED:
            published = " and ".join(vendor_images.PUBLISHED)
            raise ValueError(f"{debian}: the vendor publishes {published}")
        with self.publish_lock:
            date, serial = vendor_images.next_release(debian)
            # Copying a root takes seconds, in which the API must answer: no lock yet.
            layer = self.create_root_version(debian, f"{date:%Y%m%d}-{serial}")
            release = vendor_images.VendorRelease(debian, layer, date, serial)
            with self.state.lock:
                vendor_images.publish_release(release)
            return release.name
