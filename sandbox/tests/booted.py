"""What the tests of real instances share: a store with cached roots, a key, ssh, and an inventory of the host."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bakeline_sandbox.backends import FirewallRule, InstanceSpec

STORE = Path(os.environ.get("BAKELINE_SANDBOX_TEST_DIR", "/var/lib/bakeline-sandbox-tests"))
SSH_RULE = FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0")
OUT_RULE = FirewallRule(True, "-1", None, None, "0.0.0.0/0")
BOOT = "cat /proc/sys/kernel/random/boot_id"
KEY_RESET = "sudo cloud-init clean --logs; sudo rm -f /etc/ssh/ssh_host_* ~/.ssh/authorized_keys"


def address(backend, number: int) -> str:
    """The n-th private address of a backend's range."""
    return ".".join([*backend.vpc_cidr.split(".")[:2], "0", str(number)])


class Key:
    """An ssh key pair of its own."""

    def __init__(self, folder: Path, name: str = "key") -> None:
        self.path = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.path], check=True)
        self.public = self.path.with_suffix(".pub").read_text()

    def ssh(self, host: str, command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command as `admin`, with this key only."""
        options = [
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=3",
            "BatchMode=yes",
        ]
        words = [
            "ssh",
            "-F",
            "/dev/null",
            "-i",
            str(self.path),
            *(f"-o{option}" for option in options),
            f"admin@{host}",
            command,
        ]
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )

    def out(self, host: str, command: str) -> str:
        """What a command that must succeed prints."""
        done = self.ssh(host, command)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self, host: str, seconds: float = 300) -> None:
        """Wait until ssh works."""
        end = time.monotonic() + seconds
        while (done := self.ssh(host, "true")).returncode:
            assert time.monotonic() < end, f"no ssh to {host}: {done.stderr}"
            time.sleep(0.1)

    def reboots(self, host: str, reboot: Callable[[], object]) -> None:
        """Reboot, and wait until ssh works in the next boot."""
        boot = self.out(host, BOOT)
        reboot()
        until(lambda: (done := self.ssh(host, BOOT)).returncode == 0 and done.stdout != boot)


def spec(number: int, image: tuple[str, ...], private_ip: str, key: Key, **more) -> InstanceSpec:
    """An instance as the API side would describe it."""
    fields = {"public_ip": None, "user_data": None, "rules": (SSH_RULE, OUT_RULE)} | more
    return InstanceSpec(
        instance_id=f"i-{number:017x}", account="123456789012", region="eu-central-1", zone="eu-central-1a", image_id="ami-0123456789abcdef0",
        instance_type="t3.micro", private_ip=private_ip, layers=image, key_name="key", public_key=key.public, **fields,
    )  # fmt: skip


def until(check, seconds: float = 300) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def inventory(tag: str) -> dict[str, list[str]]:
    """What the host has of everything a backend changes; other sandboxes on it (other tags) don't count."""

    def lines(*command: str) -> list[str]:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return sorted(
            line
            for line in text.splitlines()
            if not re.search(rf"blk-?(?!{tag})[0-9a-f]{{6}}|bakeline-(sandbox-)?(?!{tag})[0-9a-f]{{6}}", line)
        )

    groups = [
        path
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")
        for path in Path(root).glob("bakeline-*")
    ]
    return {
        "links": [line.split(":")[1] for line in lines("ip", "-o", "link")],
        "routes": lines("ip", "route", "show", "table", "all"),
        "namespaces": lines("ip", "netns", "list"),
        "filter": lines("iptables", "-S"),
        "nat": lines("iptables", "-t", "nat", "-S"),
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(STORE) in line],
        "processes": [
            line for line in lines("ps", "-eo", "args") if f"blk-{tag}" in line or str(STORE / "run") in line
        ],
        "cgroups": sorted(str(path) for path in groups if tag in path.name),
        "forward": [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
        "instances": sorted(path.name for path in (STORE / "run/instances").glob("*")),
        "propagate": sorted(path.name for path in Path("/run/systemd/nspawn/propagate").glob(f"blk-{tag}-*")),
    }
