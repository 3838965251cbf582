"""Instances as systemd-nspawn containers: a real init, a network of their own and cloud-init against our IMDS."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from . import Ended, FirewallRule, needs, overlay
from .base import Backend, Machine
from .network import DNS, Network
from .services import Services
from .system import (
    cgroup_members,
    children,
    drop_cgroup,
    enter_cgroup,
    kill,
    kill_all,
    proc_text,
    remove_tree,
    wait_until,
)

POWER_OFF, REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5  # systemd's own, sent to the container's PID 1
REBOOT_REQUESTED = 133
STOP_SECONDS = 90
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # net.* sysctls only: they belong to the instance's namespace
    "SYSTEMD_NSPAWN_TMPFS_TMP": "0",  # /tmp is part of the disk, as on EC2
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # systemd 256 and later boot with nothing else
}
OPTIONS = (
    "--quiet --boot --hostname=localhost --register=no --keep-unit --resolv-conf=off --timezone=off "
    "--link-journal=no --console=pipe --capability=CAP_NET_ADMIN,CAP_NET_RAW"
).split()
problems = needs.booted


class NspawnBackend(Backend):
    """Every instance is booted by systemd-nspawn on an overlay of its image's layers."""

    name = "nspawn"

    def __init__(self, store: Path) -> None:
        super().__init__(store)
        self.tag = hashlib.sha256(str(store.resolve()).encode()).hexdigest()[:6]
        self.network = Network(self.tag)
        self.services: Services | None = None

    def open(self, on_end: Callable[[str, Ended], None]) -> None:
        """Make the router and start the services in it."""
        super().open(on_end)
        self.network.open()
        self.vpc_cidr, self.public_cidr = self.network.private, self.network.public
        self.services = Services(self.network)

    def reboot(self, instance_id: str) -> None:
        """Ask the instance's init to restart; the watcher boots it again."""
        if leader := self.leader(self._get(instance_id).process):
            kill(leader, REBOOT)

    def firewall(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Replace the security group rules in the router."""
        if machine := self.instances.get(instance_id):
            self.network.firewall(machine.spec, rules)

    def leader(self, process: subprocess.Popen[bytes] | None) -> int | None:
        """The container's PID 1, seen from the host: the only child of nspawn."""
        return next(iter(children(process.pid)), None) if process else None

    def _clean(self) -> None:
        if self.services:
            self.services.close()
            self.services = None
        for folder in self.instances_dir.iterdir():
            overlay.unmount(folder / "root")
        self.network.close()
        drop_cgroup(f"bakeline-{self.tag}")
        for entry in Path("/run/systemd/nspawn/propagate").glob(f"blk-{self.tag}-*"):
            remove_tree(entry)
        super()._clean()

    def _make(self, machine: Machine) -> None:
        """Attaches the network and mounts the image as it is.

        The guest's own first boot makes its identity, as on EC2: systemd fills an empty machine ID and keeps any other,
        cloud-init makes host keys, host name and users. systemd-nspawn passes an ID on only if the image has none.
        """
        self.network.attach(machine.spec)
        self._mount(machine)

    def _mount(self, machine: Machine) -> None:
        for layer in machine.layers:
            self._layer(layer)
        overlay.mount(f"blk-{self.tag}-{machine.name}", machine.folder, self.layers_dir, machine.layers)

    def _freeze(self, machine: Machine, layer: Path) -> None:
        (machine.folder / "up").rename(layer)
        remove_tree(machine.folder / "work")

    def _delete(self, machine: Machine) -> None:
        self.network.detach(machine.spec)
        super()._delete(machine)

    def _start(self, machine: Machine) -> subprocess.Popen[bytes]:
        resolv = machine.root / "etc/resolv.conf"
        if not resolv.is_symlink():  # else systemd-resolved runs there, and its drop-in names the same server
            resolv.write_text(f"nameserver {DNS}\n")
        command = [*enter_cgroup(f"bakeline-{self.tag}/{machine.name}"), "systemd-nspawn", *OPTIONS]
        command += ["-D", str(machine.root), "-M", f"blk-{self.tag}-{machine.name}"]
        command += [f"--network-namespace-path=/run/netns/{self.network.namespace(machine.name)}"]
        return machine.spawn(command, ENVIRONMENT)

    def _is_up(self, machine: Machine) -> bool:
        leader = self.leader(machine.process)
        return leader is not None and proc_text(leader, "comm").strip() == "systemd"

    def _wait(self, machine: Machine, process: subprocess.Popen[bytes]) -> Ended | None:
        code = process.wait()
        return None if code == REBOOT_REQUESTED else Ended.CRASHED if code else Ended.POWERED_OFF

    def _end(self, machine: Machine, process: subprocess.Popen[bytes] | None, in_order: bool) -> None:
        """Make sure that nothing of the container is left: processes, mount, cgroup."""
        for _ in range(STOP_SECONDS if process and in_order else 0):
            if leader := self.leader(process):  # a signal sent before init has set up its handlers is lost
                kill(leader, POWER_OFF)
            if wait_until(lambda: process is None or process.poll() is not None, 1):
                break
        kill_all([pid for pid in self._strays(machine.name) if process is None or pid != process.pid])
        if process and not wait_until(lambda: process.poll() is not None, 2):
            process.kill()
            process.wait(10)
        overlay.unmount(machine.root)
        drop_cgroup(f"bakeline-{self.tag}/{machine.name}")

    def _strays(self, only: str = "") -> list[int]:
        """Nspawn and all below it, found by their cgroup even when nspawn itself is gone."""
        return sorted(cgroup_members(f"bakeline-{self.tag}/{only}"))
