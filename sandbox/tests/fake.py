"""An instance backend that boots nothing and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from bakeline_sandbox.backends import Ended, FirewallRule, InstanceSpec


class FakeBackend:
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
        self.dropped: list[str] = []
        self.fail: set[str] = set()
        self.gates: dict[str, threading.Event] = {}

    def _did(self, what: str, who: str) -> None:
        with self.lock:
            self.calls.append((what, who))
        if what in self.gates:
            self.gates[what].wait(60)
        if what in self.fail:
            raise RuntimeError(f"{what} was told to fail")

    def did(self, who: str) -> list[str]:
        return [what for what, whom in self.calls if whom == who]

    def sweep(self) -> None:
        self._did("sweep", "")

    def open(self, on_end: Callable[[str, Ended], None]) -> None:
        self.on_end = on_end

    def close(self) -> None:
        self._did("close", "")

    def launch(self, spec: InstanceSpec) -> None:
        self.specs[spec.instance_id], self.layers[spec.instance_id] = spec, tuple(spec.layers)
        self.rules[spec.instance_id] = spec.rules
        self._did("launch", spec.instance_id)

    def stop(self, instance_id: str) -> None:
        self._did("stop", instance_id)

    def start(self, instance_id: str) -> None:
        self._did("start", instance_id)

    def reboot(self, instance_id: str) -> None:
        self._did("reboot", instance_id)

    def terminate(self, instance_id: str) -> None:
        self._did("terminate", instance_id)

    def freeze(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        self._did("freeze", instance_id)
        self.layers[instance_id] = (snapshot_id, *self.layers[instance_id])
        return self.layers[instance_id]

    def drop_layer(self, snapshot_id: str) -> None:
        self.dropped.append(snapshot_id)

    def firewall(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        self.rules[instance_id] = rules
        self._did("firewall", instance_id)

    def console(self, instance_id: str) -> bytes:
        return f"console of {instance_id}\n".encode()
