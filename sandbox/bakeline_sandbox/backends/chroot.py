"""Instances as chroots with an ssh server, for places without mounts and namespaces.

The limits: no init (what needs a service manager doesn't run), no firewall, no metadata service, no cloud-init (a key,
host keys and `#!` scripts of user data are put in from outside), and no /proc but a few static files: what reads its own
/proc/self or a live /proc/PID (ps, some runtimes finding their own libraries) sees nothing there.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from . import Ended, FirewallRule, InstanceSpec, identity, needs
from .base import Backend, Machine
from .dress import JAVA, dress, undress
from .system import kill, kill_all, pids, run, wait_until
from .userdata import host_keys, parts

# Nothing inside may touch the host's network, mounts, modules, clock or power.
DROPPED = "-net_admin,-sys_module,-sys_rawio,-sys_admin,-sys_boot,-sys_time,-syslog"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": JAVA,
}
INIT_MAGIC = 0x03091969
problems = needs.plain


class ChrootBackend(Backend):
    """A layer is a whole root directory; an instance is a copy of the newest one."""

    name, vpc_cidr, public_cidr = "chroot", "127.90.0.0/16", "127.91.0.0/16"

    def launch(self, spec: InstanceSpec) -> None:
        """Boot, then run user data."""
        super().launch(spec)
        threading.Thread(target=self._user_data, args=(self._get(spec.instance_id),), daemon=True).start()

    def reboot(self, instance_id: str) -> None:
        """End everything and start again."""
        self.stop(instance_id)
        self.start(instance_id)

    def firewall(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Not enforced here: all instances share the host's loopback."""

    def _make(self, machine: Machine) -> None:
        self._mount(machine)
        identity.complete(machine.root, machine.spec)

    def _mount(self, machine: Machine) -> None:
        source = self._layer(machine.layers[0])
        if not machine.root.exists():
            run("cp", "-a", "--reflink=auto", f"{source.resolve()}/.", machine.root)

    def _freeze(self, machine: Machine, layer: Path) -> None:
        self._mount(machine)
        undress(machine.root)
        machine.root.rename(layer)

    def _start(self, machine: Machine) -> subprocess.Popen[bytes]:
        dress(machine.root)
        addresses = [address for address in (machine.spec.private_ip, machine.spec.public_ip) if address]
        options = [f"-oListenAddress={address}:22" for address in addresses]
        (machine.root / "run/sshd/config").write_text(
            "\n".join(sshd_config(machine.root, "etc/ssh/sshd_config")) + "\n"
        )
        command = [
            "/usr/sbin/sshd",
            "-D",
            "-e",
            "-f",
            "/run/sshd/config",
            "-oPidFile=none",
            f"-oSetEnv=LD_LIBRARY_PATH={JAVA}",
            *options,
        ]
        return _inside(machine, command)

    def _is_up(self, machine: Machine) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((machine.spec.private_ip, 22)) == 0

    def _wait(self, machine: Machine, process: subprocess.Popen[bytes]) -> Ended | None:
        """Be the init that `shutdown` and `reboot` talk to, over the pipe that System V's init had."""
        wanted = 0
        with open(os.open(machine.root / "run/initctl", os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0) as control:
            while process.poll() is None and not wanted:
                if select.select([control], [], [], 0.2)[0]:
                    magic, command, level = struct.unpack_from("=iii", (control.read(384) or b"").ljust(12, b"\0"))
                    wanted = level if magic == INIT_MAGIC and command == 1 and chr(level) in "06" else 0
        return None if wanted == ord("6") else Ended.POWERED_OFF if wanted else Ended.CRASHED

    def _end(self, machine: Machine, process: subprocess.Popen[bytes] | None, in_order: bool) -> None:
        for pid in self._strays(machine.name):
            kill(pid, signal.SIGTERM)
        wait_until(lambda: not self._strays(machine.name), 3)
        for _ in range(20):  # what forks while it is killed shows up in the next round
            if not (left := self._strays(machine.name)):
                break
            kill_all(left)
        if process:
            process.wait(10)

    def _strays(self, only: str = "") -> list[int]:
        return [pid for pid in pids() if f"{_root_of(pid)}/".startswith(f"{self.instances_dir / only}/")]

    def _user_data(self, machine: Machine) -> None:
        """Run the scripts of user data; most else needs cloud-init, which needs a booted system."""
        data = machine.spec.user_data or b""
        others = set()
        for kind, text in parts(data):
            if kind == "text/x-shellscript":
                path = machine.root / "run/user-data"
                path.write_bytes(text.lstrip())
                path.chmod(0o700)
                _inside(machine, ["/run/user-data"]).wait()
            elif kind != "text/cloud-config" or not host_keys(data):
                others.add(kind)
        if others:
            machine.note("user data other than #! scripts and host keys needs the nspawn backend: ignored")


def sshd_config(root: Path, path: str) -> list[str]:
    """The image's own lines, with what they include, but for the addresses to listen on: those are the host's here, and
    what is named on the command line would only come on top."""
    out: list[str] = []
    for line in (root / path).read_text().splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.lower() == "include":
            patterns = [name.lstrip("/") if name.startswith("/") else f"etc/ssh/{name}" for name in rest.split()]
            for found in (one for pattern in patterns for one in sorted(root.glob(pattern))):
                out += sshd_config(root, str(found.relative_to(root)))
        elif word.lower() != "listenaddress":
            out.append(line)
    return out


def _inside(machine: Machine, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start something in the instance's root, without the power to change the host."""
    return machine.spawn(["setpriv", f"--bounding-set={DROPPED}", "chroot", str(machine.root), *command], ENVIRONMENT)


def _root_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/root")
    except OSError:
        return ""
