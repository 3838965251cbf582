"""Models instances whose state follows that of a real system."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances

from ..instance_backend import ExitReason, InstanceSpec
from . import security_groups
from .state import LOG, client_error, current_state

STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
ROOT_GIB = 8
Reason = tuple[str, str]  # code and message
NO_REASON: Reason = ("", "")
USER_REQUEST: Reason = ("Client.UserInitiatedShutdown", "User initiated shutdown")
INSTANCE_REQUEST: Reason = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
CRASH: Reason = ("Server.InternalError", "The system ended unexpectedly")


class Instance(instances.Instance):
    """Instance with a queue for its work.

    A request sets a transitional state and queues the work. The work sets the final state.
    """

    layers: tuple[str, ...] = ()
    public_key: str | None = None
    # A stopped instance keeps its public address, because only launch() gives it to the backend.
    reserved_public_ip: str | None = None
    saved_console = b""  # after termination: all output
    applied_rules: Any = None  # firewall rules that the backend has
    launch_failure: str | None = None  # reason why EC2 terminates the instance at its first boot

    def _set_state(self, state: str, reason: Reason = NO_REASON) -> None:
        code, text = reason
        time = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}"
        self._state = instances.InstanceState(state, STATE_CODES[state])
        self._reason = f"{text} ({time})" if text else ""
        self.state_reason = instances.StateReason(f"{code}: {text}" if code else "", code)

    def _request_change(
        self,
        required: str,
        already: tuple[str, ...],
        state: str,
        reason: Reason,
        job: Callable[[], object],
    ) -> Any:
        """Sets a state and queues the work; returns the previous state.

        Does nothing in the states `already`. Fails in other states than `required`, if given.
        """
        previous = copy.copy(self._state)
        if self.state not in already:
            if self.state not in (required or self.state):
                text = f"The instance '{self.id}' is {self.state}: for this it must be {required}."
                raise client_error("IncorrectInstanceState", text)
            self._set_state(state, reason)
            current_state().enqueue(self.id, job)
        return previous

    def _call_backend(self, operation: str, argument: Any = None) -> bool:
        """Calls a method of the backend; terminates the instance if it fails."""
        try:
            getattr(current_state().backend, operation)(argument or self.id)
            return True
        except Exception as error:
            LOG.exception("%s: %s failed", self.id, operation)
            self.saved_console += f"\nbakeline sandbox: {operation} failed: {error}\n".encode()
            self._terminate(("Server.InternalError", f"Internal error on {operation}"))
            return False

    def prep_nics(
        self, nic_spec: list[dict[str, Any]], private_ip: str | None = None, **options: Any
    ) -> None:
        """Creates the only interface, with an allocated address."""
        subnet = self.ec2_backend.get_subnet(self.subnet_id)
        nic = dict(nic_spec[0]) if nic_spec else {}
        requested = private_ip or self._get_private_ip_from_nic(nic)
        network = IPv4Network(subnet.cidr_block)
        reachable = IPv4Network(current_state().backend.vpc_cidr)
        if not network.subnet_of(reachable):
            text = (
                f"The sandbox reaches instances in {reachable} only; "
                f"{subnet.id} is {network}: use a default subnet."
            )
            raise client_error("UnsupportedOperation", text)
        if requested and IPv4Address(requested) not in network:
            text = f"Address {requested} is not within the subnet's address range {network}."
            raise client_error("InvalidParameterValue", text)
        address = current_state().allocate_address(network, requested)
        for name in ("PrivateIpAddress", "PrivateIpAddresses", "Groups"):
            nic.pop(name, None)
        nic.update(DeviceIndex=0, DeleteOnTermination=True)
        super().prep_nics([nic], private_ip=address, **options)
        self.reserved_public_ip = self.nics[0].public_ip

    def setup_defaults(self) -> None:
        """Creates the root volume with the device name of the AMI."""
        self.add_block_device(ROOT_GIB, self.root_device_name, None, False, True, None, "gp3")

    def _create_spec(self) -> InstanceSpec:
        return InstanceSpec(
            instance_id=self.id,
            account=self.owner_id,
            region=self.region_name,
            zone=self._placement.zone,
            image_id=self.image_id,
            instance_type=self.instance_type,
            private_ip=self.private_ip or "",
            public_ip=self.reserved_public_ip,
            layers=self.layers,
            key_name=self.key_name,
            public_key=self.public_key,
            user_data=base64.b64decode(str(self.user_data)) if self.user_data else None,
            http_tokens_required=self.metadata_options.http_tokens == "required",
            rules=security_groups.collect_rules(self),
        )

    def launch(self, layers: tuple[str, ...], public_key: str | None) -> None:
        """Queues the first boot."""
        self.layers, self.public_key = layers, public_key
        self._set_state("pending")
        current_state().enqueue(self.id, self._launch)

    def _launch(self) -> None:
        if self.launch_failure:
            LOG.info("%s: %s", self.id, self.launch_failure)
            self._terminate(("Client.InternalError", "Client error on launch"))
            return
        with current_state().lock:
            spec = self._create_spec()
            self.applied_rules = spec.rules
        if self.state == "pending" and self._call_backend("launch", spec):
            self._finish_boot()

    def _finish_boot(self) -> None:
        with current_state().lock:
            if self.state == "pending":
                self._set_state("running")
            security_groups.apply_changed_rules()

    def start(self) -> Any:
        """Queues a boot; returns the previous state."""
        already = ("pending", "running")
        previous = self._request_change("stopped", already, "pending", NO_REASON, self._start)
        self.nics[0].public_ip = self.reserved_public_ip
        return previous

    def _start(self) -> None:
        if self._call_backend("start"):
            self._finish_boot()

    def stop(self) -> Any:
        """Queues a shutdown; returns the previous state."""
        already = ("stopping", "stopped")
        return self._request_change("running", already, "stopping", USER_REQUEST, self._stop)

    def _stop(self) -> None:
        if self._call_backend("stop"):
            with current_state().lock:
                if self.state == "stopping":
                    self._set_state("stopped", USER_REQUEST)
                    self.nics[0].public_ip = None

    def reboot(self) -> None:
        """Queues a restart."""

        def reboot() -> None:
            current_state().backend.reboot(self.id)

        self._request_change("running", (), "running", NO_REASON, reboot)

    def terminate(self) -> Any:
        """Queues the termination; returns the previous state."""
        already = ("shutting-down", "terminated")
        return self._request_change("", already, "shutting-down", USER_REQUEST, self._terminate)

    def _terminate(self, reason: Reason = USER_REQUEST) -> None:
        state = current_state()
        with state.lock:
            if self.state == "terminated":
                return
        try:
            self.saved_console = self.saved_console or state.backend.read_console(self.id)
            state.backend.terminate(self.id)
        except Exception:
            LOG.exception("%s: terminate failed", self.id)
        with state.lock:
            super().terminate()
            self._set_state("terminated", reason)
            state.addresses -= {self.private_ip, self.reserved_public_ip}
            self.layers = ()
            state.queues.pop(self.id).shutdown(wait=False)
        state.delete_unused_layers()

    def handle_exit(self, reason: ExitReason) -> None:
        """Updates the state after an exit without a request; runs in the queue."""
        with current_state().lock:
            if self.state != "running":
                return
            if reason is ExitReason.CRASHED:
                self._set_state("stopped", CRASH)
            elif self.instance_initiated_shutdown_behavior == "terminate":
                self._set_state("shutting-down", INSTANCE_REQUEST)
                current_state().enqueue(self.id, lambda: self._terminate(INSTANCE_REQUEST))
            else:
                self._set_state("stopped", INSTANCE_REQUEST)

    def freeze_disk(self, snapshot_id: str) -> tuple[str, ...]:
        """Turns the changes on the disk into a layer; returns the layers of the snapshot.

        Stops a running instance meanwhile. Runs in the queue.
        """
        state, was_running = current_state(), self.state == "running"
        try:
            if was_running:
                state.backend.stop(self.id)
            layers = tuple(state.backend.freeze_disk(self.id, snapshot_id))
            with state.lock:
                self.layers = layers
                state.frozen_layers.add(snapshot_id)
        finally:
            if was_running and self.state == "running":
                self._call_backend("start")
        return layers

    @property
    def console_output(self) -> bytes:
        """Console output, which outlives the instance."""
        if self.state == "terminated":
            return self.saved_console
        return current_state().backend.read_console(self.id) + self.saved_console


def _allocate_public_ip() -> str:
    network = IPv4Network(current_state().backend.public_cidr)
    return current_state().allocate_address(network)


instances.Instance = Instance
elastic_network_interfaces.random_public_ip = _allocate_public_ip
elastic_ip_addresses.random_ip = _allocate_public_ip
