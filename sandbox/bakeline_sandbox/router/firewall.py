"""Renders the router's firewall for iptables-restore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..instance_backend import FirewallRule, InstanceSpec
from .addressing import DNS_ADDRESS, METADATA_ADDRESS, interface_name

UPLINK = "up0"
_POLICIES = (":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
_COMMON_RULES = (
    "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    f"-A INPUT -i {UPLINK} -j DROP",
    "-A INPUT -p icmp -j ACCEPT",
    f"-A INPUT -d {METADATA_ADDRESS}/32 -p tcp --dport 80 -j ACCEPT",
    f"-A INPUT -d {DNS_ADDRESS}/32 -j ACCEPT",
    "-A INPUT -p tcp -j REJECT --reject-with tcp-reset",
    "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
)


def render_rules(instances: Iterable[tuple[InstanceSpec, Sequence[FirewallRule]]]) -> str:
    """Returns the complete rule set: each instance has one chain per direction."""
    nat, chains, rules = [], [], []
    for spec, allowed in instances:
        port = interface_name(spec)
        chains += [f":in-{port} - [0:0]", f":out-{port} - [0:0]"]
        rules += [f"-A FORWARD -i {port} -j out-{port}", f"-A FORWARD -o {port} -j in-{port}"]
        rules += [line for rule in allowed if (line := render_rule(port, rule))]
        rules += [f"-A in-{port} -j DROP", f"-A out-{port} -j DROP"]
        if spec.public_ip:
            destination = f"--to-destination {spec.private_ip}"
            nat.append(f"-A PREROUTING -d {spec.public_ip}/32 -j DNAT {destination}")
    nat_table = ["*nat", ":PREROUTING ACCEPT [0:0]", *nat, "COMMIT"]
    filters = [*_POLICIES, *chains, *_COMMON_RULES, *rules, "-A FORWARD -j ACCEPT"]
    return "\n".join([*nat_table, "*filter", *filters, "COMMIT", ""])


def render_rule(port: str, rule: FirewallRule) -> str:
    """Returns the line for one rule, or "" for IPv6, which the router does not route."""
    if ":" in rule.cidr:
        return ""
    line = f"-A out-{port} -d {rule.cidr}" if rule.egress else f"-A in-{port} -s {rule.cidr}"
    line += "" if rule.protocol == "-1" else f" -p {rule.protocol}"
    if rule.port_from is not None and rule.protocol in ("tcp", "udp"):
        line += f" --dport {rule.port_from}:{rule.port_to}"
    return f"{line} -j RETURN"
