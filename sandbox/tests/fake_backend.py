"""Implements an instance backend that boots nothing and records its calls."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bakeline_sandbox.instance_backend import ExitHandler, FirewallRule, InstanceSpec

GATE_SECONDS = 60


class FakeBackend:
    """Instance backend for API tests.

    An operation in `failing` raises an error. An operation in `gates` waits for its event.
    """

    name = "fake"
    vpc_cidr = "10.90.0.0/16"
    public_cidr = "203.0.113.0/24"

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.specs: dict[str, InstanceSpec] = {}
        self.layers: dict[str, tuple[str, ...]] = {}
        self.rules: dict[str, Sequence[FirewallRule]] = {}
        self.deleted_layers: list[str] = []
        self.failing: set[str] = set()
        self.gates: dict[str, threading.Event] = {}

    def _record(self, operation: str, instance_id: str) -> None:
        with self.lock:
            self.calls.append((operation, instance_id))
        if operation in self.gates:
            self.gates[operation].wait(GATE_SECONDS)
        if operation in self.failing:
            raise RuntimeError(f"injected failure of {operation}")

    def operations(self, instance_id: str) -> list[str]:
        """Returns the recorded operations on an instance."""
        return [operation for operation, other_id in self.calls if other_id == instance_id]

    def open(self, on_exit: ExitHandler) -> None:
        self.on_exit = on_exit

    def close(self) -> None:
        self._record("close", "")

    def launch(self, spec: InstanceSpec) -> None:
        self.specs[spec.instance_id], self.layers[spec.instance_id] = spec, tuple(spec.layers)
        self.rules[spec.instance_id] = spec.rules
        self._record("launch", spec.instance_id)

    def stop(self, instance_id: str) -> None:
        self._record("stop", instance_id)

    def start(self, instance_id: str) -> None:
        self._record("start", instance_id)

    def reboot(self, instance_id: str) -> None:
        self._record("reboot", instance_id)

    def terminate(self, instance_id: str) -> None:
        self._record("terminate", instance_id)

    def freeze_disk(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        self._record("freeze_disk", instance_id)
        self.layers[instance_id] = (snapshot_id, *self.layers[instance_id])
        return self.layers[instance_id]

    def delete_layer(self, snapshot_id: str) -> None:
        self.deleted_layers.append(snapshot_id)

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        self.rules[instance_id] = rules
        self._record("set_firewall_rules", instance_id)

    def read_console(self, instance_id: str) -> bytes:
        return f"console of {instance_id}\n".encode()
