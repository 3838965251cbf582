"""Provides helpers for tests of real instances: SSH, instance specs and a survey of the host."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeline_sandbox.backends.base import BaseBackend
from bakeline_sandbox.instance_backend import FirewallRule, InstanceBackend, InstanceSpec
from bakeline_sandbox.state_dir import StateDirectory

STATE_DIR = Path(os.environ.get("BAKELINE_SANDBOX_TEST_DIR", "/var/lib/bakeline-sandbox-tests"))
SSH_RULE = FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0")
EGRESS_RULE = FirewallRule(True, "-1", None, None, "0.0.0.0/0")
PRINT_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
REMOVE_KEYS = "sudo cloud-init clean --logs; sudo rm -f /etc/ssh/ssh_host_* ~/.ssh/authorized_keys"
WAIT_SECONDS = 300
CGROUP_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")
SSH_OPTIONS = (
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=3",
    "BatchMode=yes",
)


def remove_leftovers(backend: BaseBackend, state_dir: Path) -> None:
    """Removes instances and disk layers of a test run that was killed."""
    backend.sweep()
    StateDirectory(state_dir).remove_run_dir()
    backend.sweep()


def private_address(backend: InstanceBackend, number: int) -> str:
    """Returns a private address in the backend's range."""
    return ".".join([*backend.vpc_cidr.split(".")[:2], "0", str(number)])


class Key:
    """SSH key pair."""

    def __init__(self, folder: Path, name: str = "key") -> None:
        self.path = folder / name
        options = ["-q", "-t", "ed25519", "-N", "", "-C", name]
        subprocess.run(["ssh-keygen", *options, "-f", self.path], check=True)
        self.public = self.path.with_suffix(".pub").read_text()

    def ssh(
        self, host: str, command: str, timeout: float = WAIT_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as `admin`, with this key only."""
        options = [f"-o{option}" for option in SSH_OPTIONS]
        arguments = ["ssh", "-F", "/dev/null", "-i", str(self.path), *options]
        return subprocess.run(
            [*arguments, f"admin@{host}", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def output(self, host: str, command: str) -> str:
        """Returns the output of a command that must succeed."""
        completed = self.ssh(host, command)
        text = f"{command}: exit code {completed.returncode}\n{completed.stdout}"
        assert completed.returncode == 0, f"{text}\n{completed.stderr}"
        return completed.stdout

    def wait_for_ssh(self, host: str) -> None:
        """Waits until the host accepts this key."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (completed := self.ssh(host, "true")).returncode:
            assert time.monotonic() < deadline, f"no SSH to {host}: {completed.stderr}"
            time.sleep(0.1)

    def wait_for_reboot(self, host: str, reboot: Callable[[], object]) -> None:
        """Reboots and waits until SSH works in the next boot."""
        boot_id = self.output(host, PRINT_BOOT_ID)
        reboot()

        def has_rebooted() -> bool:
            completed = self.ssh(host, PRINT_BOOT_ID)
            return completed.returncode == 0 and completed.stdout != boot_id

        wait_until(has_rebooted)


def create_spec(
    number: int, layers: tuple[str, ...], private_ip: str, key: Key, **fields: Any
) -> InstanceSpec:
    """Returns the parameters of an instance, as the API would create them."""
    defaults = {"public_ip": None, "user_data": None, "rules": (SSH_RULE, EGRESS_RULE)}
    return InstanceSpec(
        instance_id=f"i-{number:017x}",
        account="123456789012",
        region="eu-central-1",
        zone="eu-central-1a",
        image_id="ami-0123456789abcdef0",
        instance_type="t3.micro",
        private_ip=private_ip,
        layers=layers,
        key_name="key",
        public_key=key.public,
        **(defaults | fields),
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Polls a condition until it is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"condition still false after {WAIT_SECONDS} s"
        time.sleep(0.05)


def survey_host(tag: str) -> dict[str, list[str]]:
    """Returns everything that a backend changes on the host, without other local EC2s."""
    other = rf"blk-?(?!{tag})[0-9a-f]{{6}}|bakeline-(sandbox-)?(?!{tag})[0-9a-f]{{6}}"

    def output_lines(*command: str) -> list[str]:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return sorted(line for line in text.splitlines() if not re.search(other, line))

    own_words = (f"blk-{tag}", str(STATE_DIR / "run"))
    processes = output_lines("ps", "-eo", "args")
    cgroups = [path for root in CGROUP_ROOTS for path in Path(root).glob("bakeline-*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    propagated = Path("/run/systemd/nspawn/propagate").glob(f"blk-{tag}-*")
    return {
        "links": [line.split(":")[1] for line in output_lines("ip", "-o", "link")],
        "routes": output_lines("ip", "route", "show", "table", "all"),
        "namespaces": output_lines("ip", "netns", "list"),
        "filter": output_lines("iptables", "-S"),
        "nat": output_lines("iptables", "-t", "nat", "-S"),
        "mounts": [line for line in mounts if str(STATE_DIR) in line],
        "processes": [line for line in processes if any(word in line for word in own_words)],
        "cgroups": sorted(str(path) for path in cgroups if tag in path.name),
        "ip_forward": [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
        "instances": sorted(path.name for path in (STATE_DIR / "run/instances").glob("*")),
        "propagated": sorted(path.name for path in propagated),
    }
