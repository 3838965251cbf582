"""Lists all resources of the local EC2 and everything that the sandbox keeps on this host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .catalog import tags
from .run import HANG
from .sandbox import Sandbox

GONE = ("terminated",)
Listing = dict[str, list[str]]


def list_cloud(sandbox: Sandbox) -> Listing:
    """Returns all resources of the API as comparable lines."""
    ec2, ssm = sandbox.client("ec2"), sandbox.client("ssm")
    instances = [one for r in ec2.describe_instances()["Reservations"] for one in r["Instances"]]
    lists: dict[str, list[dict[str, Any]]] = {
        "instances": [one for one in instances if one["State"]["Name"] not in GONE],
        "volumes": ec2.describe_volumes()["Volumes"],
        "snapshots": ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "images": [stable_image(one) for one in ec2.describe_images(Owners=["self"])["Images"]],
        "keys": ec2.describe_key_pairs()["KeyPairs"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "subnets": [stable_subnet(one) for one in ec2.describe_subnets()["Subnets"]],
        "parameters": ssm.get_parameters_by_path(Path="/", Recursive=True)["Parameters"],
        "buckets": sandbox.client("s3").list_buckets()["Buckets"],
        "roles": sandbox.client("iam").list_roles()["Roles"],
    }
    return {
        kind: sorted(json.dumps(one, sort_keys=True, default=str) for one in found) for kind, found in lists.items()
    }


def stable_image(image: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in image.items() if key != "LastLaunchedTime"}
    kept["Tags"] = sorted(kept.get("Tags", []), key=lambda tag: tag["Key"])
    return kept


def stable_subnet(subnet: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in subnet.items() if key != "AvailableIpAddressCount"}


def list_host(sandbox: Sandbox, ident: str = "") -> Listing:
    """Returns mounts, processes and network objects of the sandbox. Without its ID, only those that name its directory."""
    mine = str(sandbox.dir)
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mine in line]
    listing = {
        "mounts": [line.split(" ")[4] for line in mounts],
        "processes": [" ".join(one.argv)[:200] for one in processes(sandbox)],
        "instances": [path.name for path in (sandbox.dir / "run/instances").glob("*")],
    }
    if ident:
        listing["namespaces"] = matching_lines("ip", "netns", ident)
        listing["links"] = [line.split()[0] for line in matching_lines("ip", "-br", "link", ident)]
        listing["rules"] = matching_lines("iptables-save", "", ident)
        found = [at for at, _, _ in os.walk("/sys/fs/cgroup") if "bakeline" in at or "blk" in at]
        listing["cgroups"] = [at for at in found if ident in at]
    return {kind: sorted(lines) for kind, lines in listing.items()}


def matching_lines(*words: str) -> list[str]:
    *command, ident = words
    said = subprocess.run([word for word in command if word], capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if ident in line]


class Process:
    """A process of this host."""

    def __init__(self, pid: int) -> None:
        base = Path("/proc") / str(pid)
        self.pid = pid
        self.argv = [part.decode("utf-8", "replace") for part in (base / "cmdline").read_bytes().split(b"\0") if part]
        self.environ = (base / "environ").read_bytes()
        self.parent = int((base / "stat").read_text().rsplit(")", 1)[1].split()[1])
        self.mounts = (base / "mountinfo").read_text()


def command_lines() -> set[str]:
    """Returns the command lines of all processes, with NUL between arguments."""
    lines = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                lines.add((Path("/proc") / name / "cmdline").read_bytes().rstrip(b"\0").decode("utf-8", "replace"))
            except OSError:
                continue
    return lines - {""}


def all_processes() -> list[Process]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(Process(int(name)))
            except OSError:
                continue
    return [one for one in found if one.argv]


def processes(sandbox: Sandbox) -> list[Process]:
    """Returns the processes of the sandbox and of bakeline, by command line, environment or mounts."""
    place, endpoint = str(sandbox.dir) + "/", f"AWS_ENDPOINT_URL={sandbox.env['AWS_ENDPOINT_URL']}\0".encode()
    mine = []
    for one in all_processes():
        named = any(place in word or word == str(sandbox.dir) for word in one.argv)
        inside = re.search(rf" / / .* - overlay .*{re.escape(place)}", one.mounts)
        if (
            one.pid != os.getpid()
            and "pytest" not in " ".join(one.argv)
            and (named or endpoint in one.environ or inside)
        ):
            mine.append(one)
    return mine


def ident(found: list[Process]) -> set[str]:
    """Returns the sandbox's short ID, which the names of its containers contain."""
    return {m[1] for one in found for m in [re.search(r"-M blk-([0-9a-f]+)-i-", " ".join(one.argv))] if m}


def describe_difference(before: Listing, after: Listing) -> dict[str, tuple[list[str], list[str]]]:
    """Returns added and removed resources by kind."""
    kinds = {}
    for kind in sorted(before.keys() | after.keys()):
        had, has = Counter(before.get(kind, [])), Counter(after.get(kind, []))
        if had != has:
            kinds[kind] = (sorted((has - had).elements()), sorted((had - has).elements()))
    return kinds


class Watcher:
    """A thread that samples temporary resources and their tags during a run."""

    KINDS = ("instance", "volume", "key", "group")

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.seen: dict[str, set[str]] = {kind: set() for kind in self.KINDS}
        self.untagged: set[str] = set()
        self.programs: set[str] = set()
        self.ident: set[str] = set()
        self.failure: Exception | None = None
        self._known: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._known = {name for name, _, _ in self._things()}
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(timeout=HANG)
        if error is None and self.failure is not None:
            raise self.failure

    def _things(self) -> list[tuple[str, str, dict[str, str]]]:
        ec2 = self.sandbox.client("ec2")
        instances = [one for r in ec2.describe_instances()["Reservations"] for one in r["Instances"]]
        return [
            *((one["InstanceId"], "instance", tags(one)) for one in instances if one["State"]["Name"] not in GONE),
            *((one["VolumeId"], "volume", tags(one)) for one in ec2.describe_volumes()["Volumes"]),
            *((one["KeyPairId"], "key", tags(one)) for one in ec2.describe_key_pairs()["KeyPairs"]),
            *((one["GroupId"], "group", tags(one)) for one in ec2.describe_security_groups()["SecurityGroups"]),
        ]

    def _watch(self) -> None:
        try:
            while not self._end.is_set():
                self._sample()
                time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - it is raised again where the watching ends
            self.failure = error

    def _sample(self) -> None:
        for name, kind, its in self._things():
            if name in self._known:
                continue
            if its.get("bakeline:run") and its.get("bakeline:expires"):
                self.seen[kind].add(name)
            else:
                self.untagged.add(f"{kind} {name} {its}")
        found = processes(self.sandbox)
        self.ident |= ident(found)
        self.programs |= {Path(one.argv[0]).name for one in found}

    def assert_complete(self) -> None:
        """Asserts that instance, key pair, security group and volume existed, all tagged."""
        missing = [kind for kind in self.KINDS if not self.seen[kind]]
        assert not missing, f"never saw a tagged {missing}; saw {self.seen}"
        assert not self.untagged, f"seen without run id or expiry: {sorted(self.untagged)}"
        assert "packer" in self.programs, f"Packer was never seen: {sorted(self.programs)}"
