"""Defines the interface between the EC2 API and the backends that run instances."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class FirewallRule:
    """Traffic that a security group allows in one direction.

    `port_from` and `port_to` are None for ICMP and for rules that cover all ports.
    """

    egress: bool
    protocol: str  # "tcp", "udp", "icmp", or "-1" for all
    port_from: int | None
    port_to: int | None
    cidr: str


@dataclass
class InstanceSpec:
    """Parameters of one instance; the API creates them from RunInstances."""

    instance_id: str
    account: str
    region: str
    zone: str
    image_id: str
    instance_type: str
    private_ip: str
    public_ip: str | None
    layers: tuple[str, ...]  # snapshot IDs, newest first; the last entry names a vendor root
    key_name: str | None
    public_key: str | None  # of the EC2 key pair, as a line of OpenSSH's authorized_keys
    user_data: bytes | None
    http_tokens_required: bool = False
    rules: Sequence[FirewallRule] = field(default_factory=tuple)


class ExitReason(Enum):
    """Ways in which an instance ends without a request from the API."""

    POWERED_OFF = "powered-off"
    CRASHED = "crashed"


ExitHandler = Callable[[str, ExitReason], None]
"""Callback with the ID of an instance that ended without a request."""


class InstanceBackend(Protocol):
    """Runs instances. Every method may be called from several threads."""

    name: str
    vpc_cidr: str  # of the default VPC, whose addresses the host can reach; valid after open()
    public_cidr: str  # contains every `InstanceSpec.public_ip`; valid after open()

    def sweep(self) -> None:
        """Ends and removes what an earlier server of the same state directory left."""

    def open(self, on_exit: ExitHandler) -> None:
        """Prepares the host."""

    def close(self) -> None:
        """Ends all instances and restores the host."""

    def launch(self, spec: InstanceSpec) -> None:
        """Creates the disk of an instance and boots it."""

    def stop(self, instance_id: str) -> None:
        """Shuts an instance down and keeps its disk."""

    def start(self, instance_id: str) -> None:
        """Boots a stopped instance."""

    def reboot(self, instance_id: str) -> None:
        """Restarts a running instance."""

    def terminate(self, instance_id: str) -> None:
        """Ends an instance and deletes its disk."""

    def freeze_disk(self, instance_id: str, snapshot_id: str) -> tuple[str, ...]:
        """Turns the changes of a stopped instance into a disk layer; returns its layers."""

    def delete_layer(self, snapshot_id: str) -> None:
        """Deletes a disk layer."""

    def set_firewall_rules(self, instance_id: str, rules: Sequence[FirewallRule]) -> None:
        """Replaces the firewall rules of a running instance."""

    def read_console(self, instance_id: str) -> bytes:
        """Returns the console output of an instance."""

    def has_agent(self, instance_id: str) -> bool:
        """Returns whether a process of the SSM agent runs in an instance."""

    def connect(self, instance_id: str, port: int) -> socket.socket:
        """Connects to a port of an instance from its inside, as the SSM agent does."""
