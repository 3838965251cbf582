"""What a backend offers, and what both do alike: instances by id, one change at a time each, nothing left behind."""

from __future__ import annotations

import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from . import Ended, FirewallRule, InstanceSpec
from .system import BackendError, kill_all, remove_tree, wait_until


class Machine:
    """One instance; `lock` serialises everything that boots, ends or freezes it."""

    def __init__(self, spec: InstanceSpec, folder: Path) -> None:
        self.spec, self.folder, self.lock = spec, folder, threading.RLock()
        self.name, self.root, self.layers = spec.instance_id, folder / "root", tuple(spec.layers)
        self.console = folder / "console.log"
        self.process: subprocess.Popen[bytes] | None = None  # nspawn, or the ssh server

    def spawn(self, command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start something that writes to the console and outlives a ^C at the server."""
        with self.console.open("ab") as out:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
            )

    def note(self, text: object) -> None:
        """Write a line of our own to the console."""
        with self.console.open("a") as out:
            out.write(f"\n{text}\n")


class Backend(ABC):
    """Real systems behind moto's instances. Every public method is safe to call from several threads."""

    name = ""
    vpc_cidr = ""  # what the default VPC must be so that private addresses are reachable; known after open()
    public_cidr = ""  # where `InstanceSpec.public_ip` must come from

    def __init__(self, store: Path) -> None:
        self.run_dir = store.resolve() / "run"
        self.instances_dir, self.layers_dir = self.run_dir / "instances", self.run_dir / "layers"
        self.instances: dict[str, Machine] = {}
        self.on_end: Callable[[str, Ended], None] = lambda _id, _how: None

    def sweep(self) -> None:
        """End and remove what an earlier server of this store left behind."""
        for folder in (self.instances_dir, self.layers_dir):
            folder.mkdir(parents=True, exist_ok=True)
        kill_all(self._strays())
        self._clean()

    def open(self, on_end: Callable[[str, Ended], None]) -> None:
        """Prepare the host; `on_end` is called when an instance ends by itself."""
        self.on_end = on_end

    def close(self) -> None:
        """End every instance and give the host back."""
        for instance_id in list(self.instances):
            self.terminate(instance_id)
        self.sweep()

    def launch(self, spec: InstanceSpec) -> None:
        """Make the disk and boot; a failure leaves nothing behind."""
        machine = Machine(spec, self.instances_dir / spec.instance_id)
        with machine.lock:
            self.instances[spec.instance_id] = machine
            try:
                machine.folder.mkdir(parents=True, exist_ok=True)
                self._make(machine)
                self._boot(machine)
            except Exception:
                self.terminate(spec.instance_id)
                raise

    def stop(self, instance_id: str) -> None:
        """Shut down in order; the disk stays."""
        machine = self._get(instance_id)
        with machine.lock:
            process, machine.process = machine.process, None
            self._end(machine, process, in_order=True)

    def start(self, instance_id: str) -> None:
        """Boot a stopped instance from its disk."""
        machine = self._get(instance_id)
        with machine.lock:
            if not machine.process:
                self._mount(machine)
                self._boot(machine)

    def terminate(self, instance_id: str) -> None:
        """Kill and delete."""
        if machine := self.instances.get(instance_id):
            with machine.lock:
                process, machine.process = machine.process, None
                self._end(machine, process, in_order=False)
                self._delete(machine)
                self.instances.pop(instance_id, None)

    def freeze(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        """Rename what a stopped instance wrote to a layer: constant time, and it may start again."""
        machine = self._get(instance_id)
        with machine.lock:
            if machine.process or (users := self._strays(instance_id)):
                who = "" if machine.process else f" (process {users[0]})"
                raise BackendError(f"instance {instance_id} runs{who}: stop it before its disk is frozen")
            if (self.layers_dir / snapshot_id).exists():
                raise BackendError(f"layer `{snapshot_id}` exists already")
            self._freeze(machine, self.layers_dir / snapshot_id)
            machine.layers = (snapshot_id, *machine.layers)
            return machine.layers

    def drop_layer(self, snapshot_id: str) -> None:
        """Delete a layer's content."""
        remove_tree(self.layers_dir / snapshot_id)

    def console(self, instance_id: str) -> bytes:
        """What the instance printed on its console."""
        path = self.instances_dir / instance_id / "console.log"
        return path.read_bytes() if path.exists() else b""

    def _get(self, instance_id: str) -> Machine:
        if machine := self.instances.get(instance_id):
            return machine
        raise BackendError(f"there is no instance {instance_id}")

    def _layer(self, name: str) -> Path:
        if not (self.layers_dir / name).is_dir():
            text = "is not in the store: its snapshot was deleted, or vendor roots were not made"
            raise BackendError(f"layer `{name}` {text}")
        return self.layers_dir / name

    def _boot(self, machine: Machine) -> None:
        process = machine.process = self._start(machine)
        threading.Thread(target=self._watch, args=(machine, process), daemon=True).start()
        up = wait_until(lambda: process.poll() is not None or self._is_up(machine), 30)
        if not up or process.poll() is not None:
            text = machine.console.read_text(errors="replace").strip().splitlines()[-3:]
            said = " | ".join(text) or "nothing"
            raise BackendError(f"instance {machine.name} did not boot; its console ends with: {said}")

    def _watch(self, machine: Machine, process: subprocess.Popen[bytes]) -> None:
        """Notice that an instance ended by itself, or asked for a reboot."""
        how = self._wait(machine, process)
        with machine.lock:
            if machine.process is not process:
                return
            machine.process = None
            self._end(machine, process, in_order=False)
            if how is None:
                try:
                    self._mount(machine)
                    self._boot(machine)
                    return
                except BackendError as error:
                    machine.note(error)
        self.on_end(machine.name, how or Ended.CRASHED)

    def _clean(self) -> None:
        """Undo what a crashed server did to the host."""
        for folder in self.instances_dir.iterdir():
            remove_tree(folder)

    def _delete(self, machine: Machine) -> None:
        """Undo what `_make` did."""
        remove_tree(machine.folder)

    @abstractmethod
    def reboot(self, instance_id: str) -> None:
        """Restart in place."""

    @abstractmethod
    def firewall(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Replace the rules that hold for a running instance."""

    @abstractmethod
    def _strays(self, only: str = "") -> list[int]:
        """The processes of one instance, or of all of this store, whoever started them."""

    @abstractmethod
    def _make(self, machine: Machine) -> None:
        """Make a new instance's disk, and what else it needs before its first boot."""

    @abstractmethod
    def _mount(self, machine: Machine) -> None:
        """Make `root` the instance's whole disk again."""

    @abstractmethod
    def _start(self, machine: Machine) -> subprocess.Popen[bytes]:
        """Start the instance's first process."""

    @abstractmethod
    def _is_up(self, machine: Machine) -> bool:
        """Whether it has begun to boot."""

    @abstractmethod
    def _wait(self, machine: Machine, process: subprocess.Popen[bytes]) -> Ended | None:
        """Wait for its end; None when it wants to be booted again."""

    @abstractmethod
    def _end(self, machine: Machine, process: subprocess.Popen[bytes] | None, in_order: bool) -> None:
        """Make sure that nothing of it runs any more."""

    @abstractmethod
    def _freeze(self, machine: Machine, layer: Path) -> None:
        """Turn what it wrote into a layer."""
