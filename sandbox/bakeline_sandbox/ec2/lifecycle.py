"""An instance that is a real system: moto's model whose states follow what the backend did."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances

from ..backends import Ended, InstanceSpec
from . import network
from .world import LOG, here, refuse

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
ROOT_GIB = 8
BY_USER = ("Client.UserInitiatedShutdown", "User initiated shutdown")
BY_ITSELF = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
Reason = tuple[str, str]


class Instance(instances.Instance):
    """Every change of state is asked for here, done by the instance's own queue and shown when it is true."""

    layers: tuple[str, ...] = ()
    public_key: str | None = None
    elastic: str | None = None  # the public address, kept while stopped because the backend is told once
    notes = b""
    pushed: Any = None  # the firewall rules the backend has

    def _become(self, state: str, reason: Reason = ("", "")) -> None:
        code, text = reason
        self._state = instances.InstanceState(state, CODES[state])
        self._reason = f"{text} ({datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC})" if text else ""
        self.state_reason = instances.StateReason(f"{code}: {text}" if code else "", code)

    def _ask(self, only: str, done: tuple[str, ...], state: str, reason: Reason, job: Callable[[], object]) -> Any:
        """Queue a change of state; asking again for what is done already is no error."""
        previous = copy.copy(self._state)
        if self.state not in done:
            if self.state not in (only or self.state):
                text = f"The instance '{self.id}' is {self.state}: for this it must be {only}."
                raise refuse("IncorrectInstanceState", text)
            self._become(state, reason)
            here().submit(self.id, job)
        return previous

    def _do(self, verb: str, asked: Any = None) -> bool:
        """Have the backend do something; where it can't, that is the end of the instance."""
        try:
            getattr(here().backend, verb)(asked or self.id)
            return True
        except Exception as error:
            LOG.exception("%s: %s failed", self.id, verb)
            self.notes += f"\nbakeline sandbox: {verb} failed: {error}\n".encode()
            self._terminate(("Server.InternalError", f"Internal error on {verb}"))
            return False

    def prep_nics(self, nic_spec: list[dict[str, Any]], private_ip: str | None = None, **options: Any) -> None:
        """One interface with an address of our own allocator, gone with the instance."""
        subnet = self.ec2_backend.get_subnet(self.subnet_id)
        nic = dict(nic_spec[0]) if nic_spec else {}
        wanted = private_ip or self._get_private_ip_from_nic(nic)
        span, ours = IPv4Network(subnet.cidr_block), IPv4Network(here().backend.vpc_cidr)
        if not span.subnet_of(ours):
            text = f"The sandbox reaches instances in {ours} only; {subnet.id} is {span}: use a default subnet."
            raise refuse("UnsupportedOperation", text)
        if wanted and IPv4Address(wanted) not in span:
            raise refuse("InvalidParameterValue", f"Address {wanted} is not within the subnet's address range {span}.")
        address = here().take_address(span, wanted)
        for name in ("PrivateIpAddress", "PrivateIpAddresses", "Groups"):
            nic.pop(name, None)
        nic.update(DeviceIndex=0, DeleteOnTermination=True)
        super().prep_nics([nic], private_ip=address, **options)
        self.elastic = self.nics[0].public_ip

    def setup_defaults(self) -> None:
        """The root volume where the AMI says it is."""
        self.add_block_device(ROOT_GIB, self.root_device_name, None, False, True, None, "gp3")

    def _spec(self) -> InstanceSpec:
        return InstanceSpec(
            instance_id=self.id,
            account=self.owner_id,
            region=self.region_name,
            zone=self._placement.zone,
            image_id=self.image_id,
            instance_type=self.instance_type,
            private_ip=self.private_ip or "",
            public_ip=self.elastic,
            layers=self.layers,
            key_name=self.key_name,
            public_key=self.public_key,
            user_data=base64.b64decode(str(self.user_data)) if self.user_data else None,
            http_tokens_required=self.metadata_options.http_tokens == "required",
            rules=network.rules(self),
        )

    def launch(self, layers: tuple[str, ...], public_key: str | None) -> None:
        """Queue the first boot."""
        self.layers, self.public_key = layers, public_key
        self._become("pending")
        here().submit(self.id, self._launch)

    def _launch(self) -> None:
        with here().lock:
            spec = self._spec()
            self.pushed = spec.rules
        if self.state == "pending" and self._do("launch", spec):
            self._running()

    def _running(self) -> None:
        with here().lock:
            if self.state == "pending":
                self._become("running")
            network.refresh()

    def start(self) -> Any:
        previous = self._ask("stopped", ("pending", "running"), "pending", ("", ""), self._start)
        self.nics[0].public_ip = self.elastic
        return previous

    def _start(self) -> None:
        if self._do("start"):
            self._running()

    def stop(self) -> Any:
        return self._ask("running", ("stopping", "stopped"), "stopping", BY_USER, self._stop)

    def _stop(self) -> None:
        if self._do("stop"):
            with here().lock:
                if self.state == "stopping":
                    self._become("stopped", BY_USER)
                    self.nics[0].public_ip = None

    def reboot(self) -> None:
        self._ask("running", (), "running", ("", ""), lambda: here().backend.reboot(self.id))

    def terminate(self) -> Any:
        return self._ask("", ("shutting-down", "terminated"), "shutting-down", BY_USER, self._terminate)

    def _terminate(self, reason: Reason = BY_USER) -> None:
        with here().lock:
            if self.state == "terminated":
                return
        try:
            self.notes = self.notes or here().backend.console(self.id)
            here().backend.terminate(self.id)
        except Exception:
            LOG.exception("%s: terminate failed", self.id)
        with here().lock:
            super().terminate()
            self._become("terminated", reason)
            here().addresses -= {self.private_ip, self.elastic}
            self.layers = ()
            here().queues.pop(self.id).shutdown(wait=False)
        here().collect()

    def ended(self, how: Ended) -> None:
        """It powered itself off or crashed; runs in the instance's queue, after whatever was asked before."""
        with here().lock:
            if self.state != "running":
                return
            if how is Ended.CRASHED:
                self._become("stopped", ("Server.InternalError", "The system ended unexpectedly"))
            elif self.instance_initiated_shutdown_behavior == "terminate":
                self._become("shutting-down", BY_ITSELF)
                here().submit(self.id, lambda: self._terminate(BY_ITSELF))
            else:
                self._become("stopped", BY_ITSELF)

    def freeze(self, snapshot_id: str) -> tuple[str, ...]:
        """Turn the disk into a layer; a running system is stopped for it and booted again. Runs in the queue."""
        running = self.state == "running"
        try:
            if running:
                here().backend.stop(self.id)
            layers = tuple(here().backend.freeze(self.id, snapshot_id))
            with here().lock:
                self.layers = layers
                here().frozen.add(snapshot_id)
        finally:
            if running and self.state == "running":
                self._do("start")
        return layers

    @property
    def console(self) -> bytes:
        """The console's text, also of an instance that is gone."""
        return self.notes if self.state == "terminated" else here().backend.console(self.id) + self.notes


def _public_address() -> str:
    return here().take_address(IPv4Network(here().backend.public_cidr))


instances.Instance = Instance
elastic_network_interfaces.random_public_ip = elastic_ip_addresses.random_ip = _public_address
