"""Pretends to run instances: the API behaves as usual, but nothing boots and no root is needed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

from ..errors import InstanceError
from ..instance_backend import ExitHandler, FirewallRule, InstanceSpec


class StubBackend:
    """Implements `InstanceBackend` without disks, processes and network.

    Instances enter `running` immediately and never answer.
    """

    name = "stub"
    vpc_cidr = "10.90.0.0/16"
    public_cidr = "203.0.113.0/24"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.layers: dict[str, tuple[str, ...]] = {}

    def sweep(self) -> None:
        """Does nothing: an earlier server left nothing on the host."""

    def open(self, on_exit: ExitHandler) -> None:
        """Does nothing: instances never end without a request."""

    def close(self) -> None:
        """Forgets all instances."""
        self.layers.clear()

    def launch(self, spec: InstanceSpec) -> None:
        """Records the disk layers of an instance."""
        self.layers[spec.instance_id] = tuple(spec.layers)

    def has_agent(self, instance_id: str) -> bool:
        """Returns False: instances have no processes."""
        return False

    def connect(self, instance_id: str, port: int) -> socket.socket:
        """Fails: instances never answer."""
        raise InstanceError(f"instance {instance_id} has no processes")

    def stop(self, instance_id: str) -> None:
        """Does nothing."""

    def start(self, instance_id: str) -> None:
        """Does nothing."""

    def reboot(self, instance_id: str) -> None:
        """Does nothing."""

    def terminate(self, instance_id: str) -> None:
        """Forgets an instance."""
        self.layers.pop(instance_id, None)

    def freeze_disk(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        """Adds an empty disk layer; returns all layers."""
        with self.lock:
            if instance_id not in self.layers:
                raise InstanceError(f"instance {instance_id} does not exist")
            self.layers[instance_id] = (snapshot_id, *self.layers[instance_id])
            return self.layers[instance_id]

    def delete_layer(self, snapshot_id: str) -> None:
        """Does nothing: layers have no files."""

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Does nothing: instances have no network."""

    def read_console(self, instance_id: str) -> bytes:
        """Returns an empty console."""
        return b""
