"""Implements a stub backend that records its calls and can fail or wait."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bakeline_sandbox.backends.stub import StubBackend
from bakeline_sandbox.instance_backend import ExitHandler, FirewallRule, InstanceSpec

GATE_SECONDS = 60


class FakeBackend(StubBackend):
    """Stub backend for API tests.

    An operation in `failing` raises an error. An operation in `gates` waits for its event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.specs: dict[str, InstanceSpec] = {}
        self.layers.clear()
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
        super().launch(spec)
        self.specs[spec.instance_id] = spec
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
        return super().freeze_disk(instance_id, snapshot_id)

    def delete_layer(self, snapshot_id: str) -> None:
        self.deleted_layers.append(snapshot_id)

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        self.rules[instance_id] = rules
        self._record("set_firewall_rules", instance_id)

    def read_console(self, instance_id: str) -> bytes:
        return f"console of {instance_id}\n".encode()
