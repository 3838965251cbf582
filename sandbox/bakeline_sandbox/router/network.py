"""Creates the network of booted instances: a router namespace with one uplink to the host."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import InstanceError
from ..host.apt import detect_apt_config
from ..host.netns import call_in_netns
from ..host.processes import run_command
from ..instance_backend import FirewallRule, InstanceSpec
from .addressing import (
    DNS_ADDRESS,
    METADATA_ADDRESS,
    PRIVATE_RANGES,
    PUBLIC_RANGES,
    first_free_range,
    interface_name,
    mac_address,
)
from .firewall import UPLINK, render_rules

IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
SAVED_IP_FORWARD = Path("/run/bakeline-sandbox.ip_forward")
# Strict reverse path filtering drops packets with the source address of another instance.
ROUTER_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "1",
    "ipv4/conf/default/rp_filter": "1",
    "ipv6/conf/all/disable_ipv6": "1",
}


class RouterNetwork:
    """Router namespace, its uplink and the host's rules for it.

    All names contain `tag`, so that close() also removes what a crashed server left.
    """

    private_cidr = public_cidr = host_address = router_address = gateway = ""  # set by open()

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.router, self.uplink = f"blk-{tag}-router", f"blk{tag}u"
        self.comment = f"bakeline-sandbox-{tag}"
        self.lock = threading.Lock()
        self.members: dict[str, tuple[InstanceSpec, Sequence[FirewallRule]]] = {}

    def open(self) -> None:
        """Creates the router in address ranges that the host does not use."""
        with _host_network_lock():
            self._choose_addresses()
            self._create_router()
            for cidr in (self.private_cidr, self.public_cidr):
                route = ["via", self.router_address, "dev", self.uplink, "src", self.host_address]
                run_command("ip", "route", "add", cidr, *route)
            self._add_host_rules()
        self._apply_rules()

    def close(self) -> None:
        """Removes everything that open() and attach() created."""
        for line in run_command("ip", "netns", "list").splitlines():
            if line.startswith(f"blk-{self.tag}-"):
                run_command("ip", "netns", "del", line.split()[0])
        run_command("ip", "link", "del", self.uplink, check=False)
        with _host_network_lock():
            self._delete_host_rules()
        self.members.clear()

    def attach(self, spec: InstanceSpec) -> None:
        """Creates the namespace of an instance and connects it to the router."""
        public_range = ipaddress.ip_network(self.public_cidr)
        if spec.public_ip and ipaddress.ip_address(spec.public_ip) not in public_range:
            text = f"public address {spec.public_ip} is outside {public_range}"
            raise InstanceError(f"{text} (the backend's public_cidr)")
        name, port, mtu = self.namespace(spec.instance_id), interface_name(spec), _uplink_mtu()
        run_command("ip", "netns", "add", name)
        peer = f"peer name ens5 mtu {mtu} address {mac_address(spec)} netns {name}"
        self._configure_router(
            f"link add {port} mtu {mtu} type veth {peer}",
            f"link set {port} up",
            f"route add {spec.private_ip}/32 dev {port}",
        )
        inside = ["link set lo up", "link set ens5 up", f"addr add {spec.private_ip}/32 dev ens5"]
        inside += [f"route add {self.gateway}/32 dev ens5", f"route add default via {self.gateway}"]
        _run_ip_batch(name, inside)
        self.set_rules(spec, spec.rules)

    def detach(self, spec: InstanceSpec) -> None:
        """Removes the namespace of an instance."""
        with self.lock:
            self.members.pop(spec.instance_id, None)
        run_command("ip", "netns", "del", self.namespace(spec.instance_id), check=False)
        run_command("ip", "-n", self.router, "link", "del", interface_name(spec), check=False)
        self._apply_rules()

    def set_rules(self, spec: InstanceSpec, rules: Sequence[FirewallRule]) -> None:
        """Replaces the firewall rules of an instance."""
        with self.lock:
            self.members[spec.instance_id] = (spec, tuple(rules))
        self._apply_rules()

    def find_instance(self, private_ip: str) -> InstanceSpec | None:
        """Returns the attached instance with this address."""
        specs = [spec for spec, _ in list(self.members.values())]
        return next((spec for spec in specs if spec.private_ip == private_ip), None)

    def namespace(self, instance_id: str) -> str:
        """Returns the name of an instance's network namespace."""
        return f"blk-{self.tag}-{instance_id}"

    def _choose_addresses(self) -> None:
        # A private mirror or resolver may be in any range, so its address counts as used.
        routes = [route["dst"] for route in _list_routes() if route["dst"] != "default"]
        used = [*routes, *detect_apt_config().host_addresses()]
        self.private_cidr = first_free_range(PRIVATE_RANGES, used)
        self.public_cidr = first_free_range(PUBLIC_RANGES, used)
        addresses = ipaddress.ip_network(self.private_cidr)
        self.host_address, self.router_address = str(addresses[-3]), str(addresses[-2])
        self.gateway = str(addresses[1])

    def _create_router(self) -> None:
        mtu, host, router = _uplink_mtu(), self.host_address, self.router_address
        run_command("ip", "netns", "add", self.router)
        peer = f"peer name {UPLINK} mtu {mtu} netns {self.router}".split()
        run_command("ip", "link", "add", self.uplink, "mtu", mtu, "type", "veth", *peer)
        run_command("ip", "addr", "add", host, "peer", router, "dev", self.uplink)
        run_command("ip", "link", "set", self.uplink, "up")
        self._configure_router(
            "link set lo up",
            f"link set {UPLINK} up",
            f"addr add {router} peer {host} dev {UPLINK}",
            *(f"addr add {ip}/32 dev lo" for ip in (METADATA_ADDRESS, DNS_ADDRESS, self.gateway)),
            f"route add default via {host}",
            f"route add blackhole {self.public_cidr}",
        )
        call_in_netns(self.router, _write_router_sysctls)

    def _configure_router(self, *lines: str) -> None:
        _run_ip_batch(self.router, lines)

    def _add_host_rules(self) -> None:
        if not SAVED_IP_FORWARD.exists():
            SAVED_IP_FORWARD.write_text(IP_FORWARD.read_text())
        IP_FORWARD.write_text("1")
        comment = ["-m", "comment", "--comment", self.comment]
        established = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", *comment]
        outbound = ["-s", self.private_cidr, "!", "-o", self.uplink, *comment]
        _run_iptables("nat", "-A", "POSTROUTING", *outbound, "-j", "MASQUERADE")
        # Each rule is inserted at the top, so iptables checks the last one first.
        _run_iptables("filter", "-I", "FORWARD", "-o", self.uplink, *established, "-j", "ACCEPT")
        _run_iptables("filter", "-I", "FORWARD", "-i", self.uplink, *comment, "-j", "ACCEPT")
        _run_iptables("filter", "-I", "INPUT", "-i", self.uplink, *comment, "-j", "DROP")
        _run_iptables("filter", "-I", "INPUT", "-i", self.uplink, *established, "-j", "ACCEPT")

    def _delete_host_rules(self) -> None:
        for table in ("filter", "nat"):
            for rule in _run_iptables(table, "-S").replace('"', "").splitlines():
                if f"--comment {self.comment} " in f"{rule} ":
                    _run_iptables(table, *rule.replace("-A", "-D", 1).split())
        # Several local EC2s share the setting: the last one restores it.
        in_use = "bakeline-sandbox-" in _run_iptables("filter", "-S", "FORWARD")
        if SAVED_IP_FORWARD.exists() and not in_use:
            IP_FORWARD.write_text(SAVED_IP_FORWARD.read_text())
            SAVED_IP_FORWARD.unlink()

    def _apply_rules(self) -> None:
        """Replaces the router's rule set in one step."""
        with self.lock:
            rules = render_rules(self.members.values())
            enter = ["nsenter", f"--net=/run/netns/{self.router}"]
            run_command(*enter, "iptables-restore", "-w", stdin=rules)


def _write_router_sysctls() -> None:
    for name, value in ROUTER_SYSCTLS.items():
        Path("/proc/sys/net", name).write_text(value)


def _run_ip_batch(namespace: str, lines: Iterable[str]) -> None:
    run_command("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")


def _run_iptables(table: str, *arguments: str) -> str:
    return run_command("iptables", "-w", "-t", table, *arguments)


@contextlib.contextmanager
def _host_network_lock() -> Iterator[None]:
    """Locks the host's routes and rules against other local EC2s."""
    descriptor = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _list_routes() -> list[dict[str, str]]:
    text = run_command("ip", "-4", "-j", "route", "show", "table", "all")
    routes: list[dict[str, str]] = json.loads(text or "[]")
    return routes


def _uplink_mtu() -> str:
    """Returns the MTU of the host's default route."""
    defaults = [route for route in _list_routes() if route["dst"] == "default"]
    device = next((route["dev"] for route in defaults if "dev" in route), "")
    path = Path(f"/sys/class/net/{device}/mtu")
    return path.read_text().strip() if device and path.exists() else "1500"
