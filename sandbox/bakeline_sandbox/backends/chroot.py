"""Runs instances as chroots with an ssh server, for hosts that forbid mounts and namespaces.

Limits:

- There is no init. Nothing runs that needs a service manager.
- Security groups are not enforced, and there is no metadata service.
- cloud-init does not run. The backend installs the SSH key and host keys, and runs `#!` scripts
  of the user data.
- /proc has only a few static files. Programs that read /proc/self or /proc/PID, such as ps, find
  nothing.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from ..host.processes import (
    kill_all,
    list_pids,
    read_root_link,
    run_command,
    send_signal,
    wait_until,
)
from ..instance_backend import ExitReason, FirewallRule, InstanceSpec
from . import chroot_sshd, first_boot, initctl
from .base import BaseBackend
from .chroot_setup import JAVA_LIBRARY_PATH, set_up_root, tear_down_root
from .machine import Machine
from .user_data import CLOUD_CONFIG, SHELL_SCRIPT, parse_host_keys, parse_parts

# Processes of an instance must not change the host's network, mounts, modules, clock or power.
DROPPED_CAPABILITIES = "-net_admin,-sys_module,-sys_rawio,-sys_admin,-sys_boot,-sys_time,-syslog"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": JAVA_LIBRARY_PATH,
}
TERMINATE_SECONDS, KILL_ROUNDS = 3, 20
IGNORED_USER_DATA = (
    "user data other than #! scripts and host keys needs the nspawn backend: ignored"
)


class ChrootBackend(BaseBackend):
    """Runs each instance in a copy of its newest disk layer, which is a complete root directory."""

    name, vpc_cidr, public_cidr = "chroot", "127.90.0.0/16", "127.91.0.0/16"

    def launch(self, spec: InstanceSpec) -> None:
        """Boots an instance, then runs its user data in the background."""
        super().launch(spec)
        machine = self._machine(spec.instance_id)
        threading.Thread(target=self._run_user_data, args=(machine,), daemon=True).start()

    def reboot(self, instance_id: str) -> None:
        """Stops and starts an instance."""
        self.stop(instance_id)
        self.start(instance_id)

    def connect(self, instance_id: str, port: int) -> socket.socket:
        """Connects to a port of an instance, which listens on its own addresses of the host."""
        return socket.create_connection((self._machine(instance_id).spec.private_ip, port))

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Does nothing: all instances share the host's loopback interface."""

    def _create(self, machine: Machine) -> None:
        self._mount_disk(machine)
        first_boot.configure_root(machine.root, machine.spec)

    def _mount_disk(self, machine: Machine) -> None:
        source = self._layer_path(machine.layers[0])
        if not machine.root.exists():
            run_command("cp", "-a", "--reflink=auto", f"{source.resolve()}/.", machine.root)

    def _freeze(self, machine: Machine, layer: Path) -> None:
        self._mount_disk(machine)
        tear_down_root(machine.root)
        machine.root.rename(layer)

    def _start_init(self, machine: Machine) -> subprocess.Popen[bytes]:
        set_up_root(machine.root)
        chroot_sshd.write_config(machine.root)
        spec = machine.spec
        addresses = [address for address in (spec.private_ip, spec.public_ip) if address]
        return _spawn_inside(machine, chroot_sshd.command(addresses, JAVA_LIBRARY_PATH))

    def _has_booted(self, machine: Machine) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((machine.spec.private_ip, 22)) == 0

    def _wait_for_exit(
        self, machine: Machine, process: subprocess.Popen[bytes]
    ) -> ExitReason | None:
        runlevel = initctl.wait_for_runlevel(process, machine.root)
        if runlevel == initctl.REBOOT_RUNLEVEL:
            return None
        return ExitReason.POWERED_OFF if runlevel else ExitReason.CRASHED

    def _end_processes(
        self, machine: Machine, process: subprocess.Popen[bytes] | None, graceful: bool
    ) -> None:
        for pid in self._find_processes(machine.name):
            send_signal(pid, signal.SIGTERM)
        wait_until(lambda: not self._find_processes(machine.name), TERMINATE_SECONDS)
        for _ in range(KILL_ROUNDS):  # a process can fork while it is killed
            if not (remaining := self._find_processes(machine.name)):
                break
            kill_all(remaining)
        if process:
            process.wait(10)

    def _find_processes(self, instance_id: str = "") -> list[int]:
        """Returns the processes whose root directory is below that of the instance."""
        prefix = f"{self.instances_dir / instance_id}/"
        return [pid for pid in list_pids() if f"{read_root_link(pid)}/".startswith(prefix)]

    def _run_user_data(self, machine: Machine) -> None:
        """Runs the scripts of the user data; most other parts would need cloud-init."""
        user_data = machine.spec.user_data or b""
        ignored = False
        for mime_type, text in parse_parts(user_data):
            if mime_type == SHELL_SCRIPT:
                path = machine.root / "run/user-data"
                path.write_bytes(text.lstrip())
                path.chmod(0o700)
                _spawn_inside(machine, ["/run/user-data"]).wait()
            elif mime_type != CLOUD_CONFIG or not parse_host_keys(user_data):
                ignored = True
        if ignored:
            machine.log(IGNORED_USER_DATA)


def _spawn_inside(machine: Machine, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts a process in the instance's root, without capabilities to change the host."""
    setpriv = ["setpriv", f"--bounding-set={DROPPED_CAPABILITIES}"]
    return machine.spawn([*setpriv, "chroot", str(machine.root), *command], ENVIRONMENT)
