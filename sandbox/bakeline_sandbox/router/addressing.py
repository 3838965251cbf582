"""Chooses addresses, interface names and hardware addresses for instances."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence

from ..errors import HostError
from ..host.apt import RELAY_ADDRESS
from ..instance_backend import InstanceSpec

METADATA_ADDRESS, DNS_ADDRESS = "169.254.169.254", RELAY_ADDRESS
PRIVATE_RANGES = (
    *(f"10.{n}.0.0/16" for n in (*range(90, 100), *range(190, 200))),
    "172.29.0.0/16",
    "192.168.0.0/16",
)
# Reserved for documentation (RFC 5737) and for benchmarks (RFC 2544): no host on the Internet.
PUBLIC_RANGES = (
    "203.0.113.0/24",
    "198.51.100.0/24",
    "192.0.2.0/24",
    *(f"198.18.{n}.0/24" for n in range(16)),
)


def mac_address(spec: InstanceSpec) -> str:
    """Returns the hardware address of an instance, derived from its ID."""
    digest = hashlib.sha256(spec.instance_id.encode()).digest()
    return ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])


def interface_name(spec: InstanceSpec) -> str:
    """Returns the name of the router's interface to an instance (at most 15 characters)."""
    return "v" + hashlib.sha256(spec.instance_id.encode()).hexdigest()[:10]


def first_free_range(candidates: Sequence[str], used: Iterable[str]) -> str:
    """Returns the first candidate that overlaps none of the used networks."""
    networks = [ipaddress.ip_network(text, strict=False) for text in used]
    for cidr in candidates:
        if not any(ipaddress.ip_network(cidr).overlaps(network) for network in networks):
            return cidr
    ranges = ", ".join(candidates)
    raise HostError(f"the host already routes all of {ranges}: remove one of these routes")
