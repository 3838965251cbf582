"""Holds the state that moto does not have.

This covers the instance backend, work queues, disk layers, addresses and the clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from ..conditions.registry import Conditions
from ..instance_backend import ExitReason, InstanceBackend

LOG = logging.getLogger("bakeline_sandbox")
RESERVED_ADDRESSES = 4  # the first addresses of a subnet, which EC2 reserves; and its last one


def client_error(code: str, message: str) -> ServiceException:
    """Returns an error in EC2's format."""
    from moto.ec2.exceptions import EC2ClientError

    return EC2ClientError(code, message)


def patch(owner: Any, name: str = "") -> Callable[[Any], Any]:
    """Returns a decorator that replaces an attribute of moto's class or module by the function.

    The attribute has the name of the function unless `name` is given.
    """

    def replace(function: Any) -> Any:
        setattr(owner, name or function.__name__, function)
        return function

    return replace


class Ec2State:
    """State of all accounts and Regions of one server.

    Every EC2 call holds `lock`. Background work holds it while it changes the state.
    """

    def __init__(
        self, backend: InstanceBackend, pending_seconds: float = 0.5, is_realistic: bool = False
    ) -> None:
        self.backend, self.default_pending_seconds = backend, pending_seconds
        self.conditions = Conditions(is_realistic)
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Restores the state of a new server; the caller has ended all instances."""
        self.conditions.reset()
        realistic = self.conditions.realistic
        self.pending_seconds = realistic.pending_seconds or self.default_pending_seconds
        self.queues: dict[str, ThreadPoolExecutor] = {}
        self.frozen_layers: set[str] = set()  # all existing disk layers except vendor roots
        self.addresses: set[str] = set()
        self.next_offsets: dict[IPv4Network, int] = {}
        self.client_tokens: dict[tuple[str, ...], tuple[str, Any]] = {}
        self.copy_plans: list[dict[str, Any]] = []  # delays and errors of the next CopyImage calls
        self.failing_deletions: list[tuple[str | None, str]] = []  # snapshot or AMI, return code
        self.parameter_delay = 0.0  # seconds until SSM writes an AMI parameter
        self.last_timestamp = datetime.now(UTC).replace(tzinfo=None)

    def next_timestamp(self) -> datetime:
        """Returns the current time in whole milliseconds; never the same value twice."""
        now = datetime.now(UTC).replace(tzinfo=None)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.last_timestamp = max(now, self.last_timestamp + timedelta(milliseconds=1))
        return self.last_timestamp

    def enqueue(self, instance_id: str, job: Callable[[], object]) -> None:
        """Adds work to the queue of an instance, which runs one job at a time, in order."""
        if instance_id not in self.queues:
            self.queues[instance_id] = ThreadPoolExecutor(1, thread_name_prefix=instance_id)
        self.queues[instance_id].submit(_run_logged, job)

    def allocate_address(self, network: IPv4Network, requested: str | None = None) -> str:
        """Returns an address that no instance of any Region or account has.

        Released addresses are reused as late as possible.
        """
        if requested:
            if requested in self.addresses:
                raise client_error("InvalidIPAddress.InUse", f"Address {requested} is in use.")
            self.addresses.add(requested)
            return requested
        usable = network.num_addresses - RESERVED_ADDRESSES - 1
        for _ in range(usable):
            offset = self.next_offsets.get(network, 0)
            self.next_offsets[network] = (offset + 1) % usable
            address = str(network[RESERVED_ADDRESSES + offset])
            if address not in self.addresses:
                self.addresses.add(address)
                return address
        text = f"There are no free addresses left in {network}."
        raise client_error("InsufficientFreeAddressesInSubnet", text)

    def delete_unused_layers(self) -> None:
        """Deletes all disk layers that no snapshot and no instance uses."""
        with self.lock:
            used = {layer for instance in iter_instances() for layer in instance.layers}
            for ec2 in iter_backends():
                for snapshot in ec2.snapshots.values():
                    used.update(getattr(snapshot, "layers", ()))
            unused = self.frozen_layers - used
            self.frozen_layers &= used
        for layer in unused:
            self.backend.delete_layer(layer)

    def delete_unused_layers_later(self) -> None:
        """Deletes unused disk layers in the background."""
        arguments = (self.delete_unused_layers,)
        threading.Thread(target=_run_logged, args=arguments, daemon=True).start()

    def handle_exit(self, instance_id: str, reason: ExitReason) -> None:
        """Updates an instance that ended without a request; the backend calls this."""
        with self.lock:
            for instance in iter_instances():
                if instance.id == instance_id and instance_id in self.queues:
                    self.enqueue(instance_id, partial(instance.handle_exit, reason))


def _run_logged(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception:
        LOG.exception("a background job failed")


def iter_backends(region: str | None = None) -> Iterator[Any]:
    """Yields moto's EC2 backends of all accounts, in one Region or in all."""
    for regions in list(ec2_backends.values()):
        for name, ec2 in list(dict.items(regions)):  # moto's own items() would create backends
            if region in (None, name):
                yield ec2


def iter_instances() -> Iterator[Any]:
    """Yields the instances of all accounts and Regions, also those that are not visible yet."""
    for ec2 in iter_backends():
        for reservation in current_state().conditions.visibility.with_hidden(ec2.reservations):
            yield from reservation.instances


_current: list[Ec2State] = []


def set_current_state(state: Ec2State) -> None:
    """Sets the state that the patched moto uses."""
    _current[:] = [state]


def current_state() -> Ec2State:
    """Returns the state that the patched moto uses."""
    return _current[0]
