"""The instances' network: one router namespace per sandbox, with firewall, public addresses and one uplink to the host."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .. import aptsource
from . import FirewallRule, InstanceSpec
from .system import BackendError, in_netns, run

METADATA, DNS = "169.254.169.254", "169.254.169.253"
PRIVATE = (*(f"10.{n}.0.0/16" for n in (*range(90, 100), *range(190, 200))), "172.29.0.0/16", "192.168.0.0/16")
# Documentation's ranges first, then those of benchmarks: nobody's real addresses.
PUBLIC = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", *(f"198.18.{n}.0/24" for n in range(16)))
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
SAVED = Path("/run/bakeline-sandbox.ip_forward")


class Network:
    """Everything is named by `tag`, so that a sweep finds it again after a crash."""

    private = public = host_end = router_end = gateway = ""  # chosen by open()

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.router, self.uplink, self.comment = f"blk-{tag}-router", f"blk{tag}u", f"bakeline-sandbox-{tag}"
        self.lock = threading.Lock()
        self.members: dict[str, tuple[InstanceSpec, Sequence[FirewallRule]]] = {}

    def open(self) -> None:
        """Make the router and tie it to the host, in ranges that the host's routes then show as taken."""
        with _alone():
            needed = aptsource.detect().addresses()
            self.private, self.public = _free_range(PRIVATE, needed), _free_range(PUBLIC, needed)
            addresses = ipaddress.ip_network(self.private)
            self.host_end, self.router_end, self.gateway = (str(addresses[at]) for at in (-3, -2, 1))
            mtu = _uplink_mtu()
            run("ip", "netns", "add", self.router)
            inner = f"peer name up0 mtu {mtu} netns {self.router}".split()
            run("ip", "link", "add", self.uplink, "mtu", mtu, "type", "veth", *inner)
            run("ip", "addr", "add", self.host_end, "peer", self.router_end, "dev", self.uplink)
            run("ip", "link", "set", self.uplink, "up")
            self._router(
                "link set lo up", "link set up0 up", f"addr add {self.router_end} peer {self.host_end} dev up0"
            )
            self._router(*(f"addr add {address}/32 dev lo" for address in (METADATA, DNS, self.gateway)))
            self._router(f"route add default via {self.host_end}", f"route add blackhole {self.public}")
            in_netns(self.router, lambda: [Path("/proc/sys/net", n).write_text(v) for n, v in ROUTER_SYSCTLS.items()])
            for cidr in (self.private, self.public):
                run("ip", "route", "add", cidr, "via", self.router_end, "dev", self.uplink, "src", self.host_end)
            self._host_rules()
        self._apply()

    def close(self) -> None:
        """Undo all of it; what is already gone is no error."""
        for line in run("ip", "netns", "list").splitlines():
            if line.startswith(f"blk-{self.tag}-"):
                run("ip", "netns", "del", line.split()[0])
        run("ip", "link", "del", self.uplink, check=False)
        with _alone():
            for table in ("filter", "nat"):
                for rule in run("iptables", "-w", "-t", table, "-S").replace('"', "").splitlines():
                    if f"--comment {self.comment} " in f"{rule} ":
                        run("iptables", "-w", "-t", table, *rule.replace("-A", "-D", 1).split())
            # Several sandboxes share the host's switch: the last one puts it back.
            if SAVED.exists() and "bakeline-sandbox-" not in run("iptables", "-w", "-S", "FORWARD"):
                FORWARD.write_text(SAVED.read_text())
                SAVED.unlink()
        self.members.clear()

    def attach(self, spec: InstanceSpec) -> None:
        """Give an instance its own namespace, wired to the router."""
        if spec.public_ip and ipaddress.ip_address(spec.public_ip) not in ipaddress.ip_network(self.public):
            raise BackendError(f"public address {spec.public_ip} is outside {self.public} (the backend's public_cidr)")
        name, port, mtu = self.namespace(spec.instance_id), _port(spec), _uplink_mtu()
        run("ip", "netns", "add", name)
        self._router(
            f"link add {port} mtu {mtu} type veth peer name ens5 mtu {mtu} address {mac(spec)} netns {name}",
            f"link set {port} up",
            f"route add {spec.private_ip}/32 dev {port}",
        )
        inside = ["link set lo up", "link set ens5 up", f"addr add {spec.private_ip}/32 dev ens5"]
        inside += [f"route add {self.gateway}/32 dev ens5", f"route add default via {self.gateway}"]
        _batch(name, inside)
        self.firewall(spec, spec.rules)

    def detach(self, spec: InstanceSpec) -> None:
        """Take an instance off the network."""
        with self.lock:
            self.members.pop(spec.instance_id, None)
        run("ip", "netns", "del", self.namespace(spec.instance_id), check=False)
        run("ip", "-n", self.router, "link", "del", _port(spec), check=False)
        self._apply()

    def firewall(self, spec: InstanceSpec, rules: Sequence[FirewallRule]) -> None:
        """Replace one instance's security group rules."""
        with self.lock:
            self.members[spec.instance_id] = (spec, tuple(rules))
        self._apply()

    def namespace(self, instance_id: str) -> str:
        """The name of an instance's network namespace."""
        return f"blk-{self.tag}-{instance_id}"

    def _router(self, *lines: str) -> None:
        _batch(self.router, lines)

    def _host_rules(self) -> None:
        if not SAVED.exists():
            SAVED.write_text(FORWARD.read_text())
        FORWARD.write_text("1")
        mark = ["-m", "comment", "--comment", self.comment]
        settled = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]
        outward = ["-s", self.private, "!", "-o", self.uplink]
        run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *outward, *mark, "-j", "MASQUERADE")
        # Inserted on top, so the last one is looked at first.
        run("iptables", "-w", "-I", "FORWARD", "-o", self.uplink, *settled, *mark, "-j", "ACCEPT")
        run("iptables", "-w", "-I", "FORWARD", "-i", self.uplink, *mark, "-j", "ACCEPT")
        run("iptables", "-w", "-I", "INPUT", "-i", self.uplink, *mark, "-j", "DROP")
        run("iptables", "-w", "-I", "INPUT", "-i", self.uplink, *settled, *mark, "-j", "ACCEPT")

    def _apply(self) -> None:
        """Replace the router's whole rule set in one step."""
        with self.lock:
            nat, chains, rules = [], [], []
            for spec, allowed in self.members.values():
                port = _port(spec)
                chains += [f":in-{port} - [0:0]", f":out-{port} - [0:0]"]
                rules += [f"-A FORWARD -i {port} -j out-{port}", f"-A FORWARD -o {port} -j in-{port}"]
                rules += [line for rule in allowed if (line := _rule_line(port, rule))]
                rules += [f"-A in-{port} -j DROP", f"-A out-{port} -j DROP"]
                if spec.public_ip:
                    nat.append(f"-A PREROUTING -d {spec.public_ip}/32 -j DNAT --to-destination {spec.private_ip}")
            policies = [":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
            lines = ["*nat", ":PREROUTING ACCEPT [0:0]", *nat, "COMMIT", "*filter", *policies, *chains]
            text = "\n".join([*lines, *ROUTER_RULES, *rules, "-A FORWARD -j ACCEPT", "COMMIT", ""])
            run("nsenter", f"--net=/run/netns/{self.router}", "iptables-restore", "-w", stdin=text)


# Strict reverse path filtering drops packets whose source address belongs to another instance.
ROUTER_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "1",
    "ipv4/conf/default/rp_filter": "1",
    "ipv6/conf/all/disable_ipv6": "1",
}
ROUTER_RULES = (
    "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    "-A INPUT -i up0 -j DROP",
    "-A INPUT -p icmp -j ACCEPT",
    f"-A INPUT -d {METADATA}/32 -p tcp --dport 80 -j ACCEPT",
    f"-A INPUT -d {DNS}/32 -j ACCEPT",
    "-A INPUT -p tcp -j REJECT --reject-with tcp-reset",
    "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
)


def mac(spec: InstanceSpec) -> str:
    """A stable hardware address for an instance."""
    digest = hashlib.sha256(spec.instance_id.encode()).digest()
    return ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])


def _port(spec: InstanceSpec) -> str:
    return "v" + hashlib.sha256(spec.instance_id.encode()).hexdigest()[:10]


def _rule_line(port: str, rule: FirewallRule) -> str:
    if ":" in rule.cidr:
        return ""  # IPv6 is not routed at all
    line = f"-A out-{port} -d {rule.cidr}" if rule.egress else f"-A in-{port} -s {rule.cidr}"
    line += "" if rule.protocol == "-1" else f" -p {rule.protocol}"
    if rule.port_from is not None and rule.protocol in ("tcp", "udp"):
        line += f" --dport {rule.port_from}:{rule.port_to}"
    return f"{line} -j RETURN"


def _batch(namespace: str, lines: Iterable[str]) -> None:
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Only one sandbox of the host looks at its routes and rules and changes them."""
    descriptor = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _routes() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(run("ip", "-4", "-j", "route", "show", "table", "all") or "[]")
    return found


def _free_range(candidates: Sequence[str], needed: Iterable[str]) -> str:
    """The first range that the host neither routes nor needs for its mirrors (a private one may use any range)."""
    used = [*(route["dst"] for route in _routes() if route["dst"] != "default"), *needed]
    taken = [ipaddress.ip_network(text, strict=False) for text in used]
    for cidr in candidates:
        if not any(ipaddress.ip_network(cidr).overlaps(network) for network in taken):
            return cidr
    raise BackendError(f"the host routes all of {', '.join(candidates)} already: free one of them for the sandbox")


def _uplink_mtu() -> str:
    device = next((route["dev"] for route in _routes() if route["dst"] == "default" and "dev" in route), "")
    path = Path(f"/sys/class/net/{device}/mtu")
    return path.read_text().strip() if device and path.exists() else "1500"
