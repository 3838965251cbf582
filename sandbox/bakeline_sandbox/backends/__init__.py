"""What the EC2 API side and the instance backends tell each other; what a backend must offer is in `base`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Problem:
    """One reason why the sandbox can't run here, and what to do about it."""

    cause: str
    fix: str


@dataclass(frozen=True)
class FirewallRule:
    """One allowed direction of a security group; `port_from`/`port_to` are None for every port (or ICMP)."""

    egress: bool
    protocol: str  # "tcp", "udp", "icmp" or "-1" for all
    port_from: int | None
    port_to: int | None
    cidr: str


@dataclass
class InstanceSpec:
    """Everything a backend needs to bring one instance up; made by the API side from RunInstances."""

    instance_id: str
    account: str
    region: str
    zone: str
    image_id: str
    instance_type: str
    private_ip: str
    public_ip: str | None
    layers: tuple[str, ...]  # snapshot ids, newest first; the last one is a vendor root's name
    key_name: str | None
    public_key: str | None  # the OpenSSH line of the EC2 key pair
    user_data: bytes | None
    http_tokens_required: bool = False
    rules: Sequence[FirewallRule] = field(default_factory=tuple)


class Ended(Enum):
    """How a running instance ended by itself."""

    POWERED_OFF = "powered-off"
    CRASHED = "crashed"
