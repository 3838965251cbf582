"""Implements what both backends have in common; subclasses create, boot and end one instance."""

from __future__ import annotations

import socket
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InstanceError, SandboxError
from ..host.mounts import remove_tree
from ..host.processes import kill_all, read_proc_file, wait_until
from ..instance_backend import ExitHandler, ExitReason, FirewallRule, InstanceSpec
from .machine import Machine

BOOT_SECONDS = 30


AGENT = "amazon-ssm-agent"[:15]  # as the kernel shortens the name of a process


class BaseBackend(ABC):
    """Implements `InstanceBackend` on the folders `run/instances` and `run/layers`."""

    name = vpc_cidr = public_cidr = ""

    def __init__(self, state_dir: Path) -> None:
        self.run_dir = state_dir.resolve() / "run"
        self.instances_dir, self.layers_dir = self.run_dir / "instances", self.run_dir / "layers"
        self.instances: dict[str, Machine] = {}
        self.on_exit: ExitHandler = lambda _instance_id, _reason: None
        self.build_root: Callable[[str], None] = lambda _name: None  # builds a missing vendor root

    def sweep(self) -> None:
        """Ends and removes what an earlier server of this state directory left."""
        for folder in (self.instances_dir, self.layers_dir):
            folder.mkdir(parents=True, exist_ok=True)
        kill_all(self._find_processes())
        self._clean_host()

    def open(self, on_exit: ExitHandler) -> None:
        """Prepares the host."""
        self.on_exit = on_exit

    def close(self) -> None:
        """Ends all instances and restores the host."""
        for instance_id in list(self.instances):
            self.terminate(instance_id)
        self.sweep()

    def launch(self, spec: InstanceSpec) -> None:
        """Creates the disk and boots; removes everything again if that fails."""
        machine = Machine(spec, self.instances_dir / spec.instance_id)
        with machine.lock:
            self.instances[spec.instance_id] = machine
            try:
                machine.folder.mkdir(parents=True, exist_ok=True)
                self._create(machine)
                self._boot(machine)
            except Exception:
                self.terminate(spec.instance_id)
                raise

    def stop(self, instance_id: str) -> None:
        """Shuts an instance down and keeps its disk."""
        machine = self._machine(instance_id)
        with machine.lock:
            self._end_processes(machine, machine.take_process(), graceful=True)

    def start(self, instance_id: str) -> None:
        """Boots a stopped instance."""
        machine = self._machine(instance_id)
        with machine.lock:
            if not machine.process:
                self._mount_disk(machine)
                self._boot(machine)

    def terminate(self, instance_id: str) -> None:
        """Ends an instance and deletes its disk."""
        if machine := self.instances.get(instance_id):
            with machine.lock:
                self._end_processes(machine, machine.take_process(), graceful=False)
                self._delete(machine)
                self.instances.pop(instance_id, None)

    def freeze_disk(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        """Renames the changes of a stopped instance to a disk layer, in constant time."""
        machine = self._machine(instance_id)
        with machine.lock:
            if machine.process or (pids := self._find_processes(instance_id)):
                detail = "" if machine.process else f" (process {pids[0]})"
                text = f"instance {instance_id} is running{detail}"
                raise InstanceError(f"{text}: stop it before freezing its disk")
            if (self.layers_dir / snapshot_id).exists():
                raise InstanceError(f"disk layer `{snapshot_id}` already exists")
            self._freeze(machine, self.layers_dir / snapshot_id)
            machine.layers = (snapshot_id, *machine.layers)
            return machine.layers

    def delete_layer(self, snapshot_id: str) -> None:
        """Deletes a disk layer."""
        remove_tree(self.layers_dir / snapshot_id)

    def read_console(self, instance_id: str) -> bytes:
        """Returns the console output of an instance."""
        path = self.instances_dir / instance_id / "console.log"
        return path.read_bytes() if path.exists() else b""

    def _machine(self, instance_id: str) -> Machine:
        if machine := self.instances.get(instance_id):
            return machine
        raise InstanceError(f"instance {instance_id} does not exist")

    def _layer_path(self, name: str) -> Path:
        if not (self.layers_dir / name).is_dir():
            self.build_root(name)
        if not (self.layers_dir / name).is_dir():
            text = f"disk layer `{name}` does not exist"
            raise InstanceError(f"{text}: its snapshot was deleted, or vendor roots are missing")
        return self.layers_dir / name

    def _boot(self, machine: Machine) -> None:
        process = machine.process = self._start_init(machine)
        threading.Thread(target=self._watch, args=(machine, process), daemon=True).start()

        def has_settled() -> bool:
            return process.poll() is not None or self._has_booted(machine)

        if not wait_until(has_settled, BOOT_SECONDS) or process.poll() is not None:
            text = f"instance {machine.name} did not boot"
            raise InstanceError(f"{text}; its console ends with: {machine.console_tail()}")

    def _watch(self, machine: Machine, process: subprocess.Popen[bytes]) -> None:
        """Waits until an instance ends without a request; boots it again after a reboot."""
        reason = self._wait_for_exit(machine, process)
        with machine.lock:
            if machine.process is not process:
                return
            self._end_processes(machine, machine.take_process(), graceful=False)
            if reason is None:
                try:
                    self._mount_disk(machine)
                    self._boot(machine)
                    return
                except SandboxError as error:
                    machine.log(error)
        self.on_exit(machine.name, reason or ExitReason.CRASHED)

    def _clean_host(self) -> None:
        """Removes what a crashed server left on the host."""
        for folder in self.instances_dir.iterdir():
            remove_tree(folder)

    def _delete(self, machine: Machine) -> None:
        """Removes what `_create` created."""
        remove_tree(machine.folder)

    def has_agent(self, instance_id: str) -> bool:
        """Returns whether a process of the SSM agent runs in an instance."""
        names = [read_proc_file(pid, "comm").strip() for pid in self._find_processes(instance_id)]
        return AGENT in names

    @abstractmethod
    def connect(self, instance_id: str, port: int) -> socket.socket:
        """Connects to a port of an instance from its inside, as the SSM agent does."""

    @abstractmethod
    def reboot(self, instance_id: str) -> None:
        """Restarts a running instance."""

    @abstractmethod
    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Replaces the firewall rules of a running instance."""

    @abstractmethod
    def _find_processes(self, instance_id: str = "") -> list[int]:
        """Returns the processes of one instance, or of all instances of this state directory."""

    @abstractmethod
    def _create(self, machine: Machine) -> None:
        """Creates the disk of a new instance, and what else it needs before its first boot."""

    @abstractmethod
    def _mount_disk(self, machine: Machine) -> None:
        """Makes the whole disk available in `root`."""

    @abstractmethod
    def _start_init(self, machine: Machine) -> subprocess.Popen[bytes]:
        """Starts the first process."""

    @abstractmethod
    def _has_booted(self, machine: Machine) -> bool:
        """Returns True as soon as the instance accepts requests."""

    @abstractmethod
    def _wait_for_exit(
        self, machine: Machine, process: subprocess.Popen[bytes]
    ) -> ExitReason | None:
        """Waits for the end of the instance; returns None if it requests a reboot."""

    @abstractmethod
    def _end_processes(
        self, machine: Machine, process: subprocess.Popen[bytes] | None, graceful: bool
    ) -> None:
        """Ends all processes of the instance."""

    @abstractmethod
    def _freeze(self, machine: Machine, layer: Path) -> None:
        """Turns the changes of a stopped instance into a disk layer."""
