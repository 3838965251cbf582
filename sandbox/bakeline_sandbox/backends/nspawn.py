"""Runs instances as systemd-nspawn containers.

Each instance has a real init, its own network and cloud-init with the local metadata service.
"""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..host.cgroups import cgroup_pids, command_prefix, remove_cgroup
from ..host.mounts import remove_tree
from ..host.netns import call_in_netns
from ..host.processes import child_pids, kill_all, read_proc_file, send_signal, wait_until
from ..instance_backend import ExitHandler, ExitReason, FirewallRule
from ..router.addressing import DNS_ADDRESS
from ..router.network import RouterNetwork
from ..router.services import RouterServices
from . import overlay
from .base import BaseBackend
from .machine import Machine

POWER_OFF, REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5  # systemd's signals for PID 1
REBOOT_EXIT_CODE = 133  # of systemd-nspawn, if the container requests a reboot
STOP_SECONDS = 90
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # net.* sysctls belong to the namespace
    "SYSTEMD_NSPAWN_TMPFS_TMP": "0",  # /tmp is part of the disk, as on EC2
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # required by systemd 256 and later
}
OPTIONS = (
    "--quiet --boot --hostname=localhost --register=no --keep-unit --resolv-conf=off "
    "--timezone=off --link-journal=no --console=pipe --capability=CAP_NET_ADMIN,CAP_NET_RAW"
).split()


class NspawnBackend(BaseBackend):
    """Boots each instance with systemd-nspawn on an overlay of its disk layers."""

    name = "nspawn"

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir)
        self.tag = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:6]
        self.network = RouterNetwork(self.tag)
        self.services: RouterServices | None = None

    def open(self, on_exit: ExitHandler) -> None:
        """Creates the router and starts its services."""
        super().open(on_exit)
        self.network.open()
        self.vpc_cidr, self.public_cidr = self.network.private_cidr, self.network.public_cidr
        self.services = RouterServices(self.network)

    def reboot(self, instance_id: str) -> None:
        """Tells the instance's init to restart; the watcher then boots the instance again."""
        if leader := self.leader_pid(self._machine(instance_id).process):
            send_signal(leader, REBOOT)

    def connect(self, instance_id: str, port: int) -> socket.socket:
        """Connects to a port of an instance in its network namespace, past the firewall."""
        namespace = self.network.namespace(self._machine(instance_id).name)
        address = ("127.0.0.1", port)
        return call_in_netns(namespace, lambda: socket.create_connection(address))

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Replaces the firewall rules of an instance in the router."""
        if machine := self.instances.get(instance_id):
            self.network.set_rules(machine.spec, rules)

    def leader_pid(self, process: subprocess.Popen[bytes] | None) -> int | None:
        """Returns the host's PID of the container's PID 1, which is the only child of nspawn."""
        return next(iter(child_pids(process.pid)), None) if process else None

    def _clean_host(self) -> None:
        if self.services:
            self.services.close()
            self.services = None
        for folder in self.instances_dir.iterdir():
            overlay.unmount_disk(folder / "root")
        self.network.close()
        remove_cgroup(f"bakeline-{self.tag}")
        for entry in Path("/run/systemd/nspawn/propagate").glob(f"blk-{self.tag}-*"):
            remove_tree(entry)
        super()._clean_host()

    def _create(self, machine: Machine) -> None:
        """Attaches the network and mounts the disk without changing it.

        As on EC2, the first boot of the guest creates its identity. systemd fills an empty
        machine ID and keeps any other. cloud-init creates host keys, host name and users.
        systemd-nspawn passes a machine ID on only if the image has none.
        """
        self.network.attach(machine.spec)
        self._mount_disk(machine)

    def _mount_disk(self, machine: Machine) -> None:
        for layer in machine.layers:
            self._layer_path(layer)
        source = f"blk-{self.tag}-{machine.name}"
        overlay.mount_disk(source, machine.folder, self.layers_dir, machine.layers)

    def _freeze(self, machine: Machine, layer: Path) -> None:
        (machine.folder / "up").rename(layer)
        remove_tree(machine.folder / "work")

    def _delete(self, machine: Machine) -> None:
        self.network.detach(machine.spec)
        super()._delete(machine)

    def _start_init(self, machine: Machine) -> subprocess.Popen[bytes]:
        resolv_conf = machine.root / "etc/resolv.conf"
        if not resolv_conf.is_symlink():  # a link is systemd-resolved's; its drop-in has the server
            resolv_conf.write_text(f"nameserver {DNS_ADDRESS}\n")
        namespace = self.network.namespace(machine.name)
        command = [*command_prefix(self._cgroup(machine.name)), "systemd-nspawn", *OPTIONS]
        command += ["-D", str(machine.root), "-M", f"blk-{self.tag}-{machine.name}"]
        command += [f"--network-namespace-path=/run/netns/{namespace}"]
        return machine.spawn(command, ENVIRONMENT)

    def _has_booted(self, machine: Machine) -> bool:
        leader = self.leader_pid(machine.process)
        return leader is not None and read_proc_file(leader, "comm").strip() == "systemd"

    def _wait_for_exit(
        self, machine: Machine, process: subprocess.Popen[bytes]
    ) -> ExitReason | None:
        code = process.wait()
        if code == REBOOT_EXIT_CODE:
            return None
        return ExitReason.CRASHED if code else ExitReason.POWERED_OFF

    def _end_processes(
        self, machine: Machine, process: subprocess.Popen[bytes] | None, graceful: bool
    ) -> None:
        """Ends the container, then unmounts its disk and removes its cgroup."""
        if process and graceful:
            self._power_off(process)
        pids = self._find_processes(machine.name)
        kill_all([pid for pid in pids if process is None or pid != process.pid])
        if process and not wait_until(lambda: process.poll() is not None, 2):
            process.kill()
            process.wait(10)
        overlay.unmount_disk(machine.root)
        remove_cgroup(self._cgroup(machine.name))

    def _power_off(self, process: subprocess.Popen[bytes]) -> None:
        """Asks init to power off, repeatedly, and waits for nspawn's end.

        init loses a signal that arrives before its signal handlers are installed.
        """
        for _ in range(STOP_SECONDS):
            if leader := self.leader_pid(process):
                send_signal(leader, POWER_OFF)
            if wait_until(lambda: process.poll() is not None, 1):
                return

    def _find_processes(self, instance_id: str = "") -> list[int]:
        """Returns the processes in the cgroup, which works even if nspawn has ended."""
        return sorted(cgroup_pids(self._cgroup(instance_id)))

    def _cgroup(self, instance_id: str) -> str:
        return f"bakeline-{self.tag}/{instance_id}"
