"""What moto doesn't know: the instance backend, work queues, layers, addresses and the clock; one per server."""

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

from ..backends import Ended
from ..backends.base import Backend

LOG = logging.getLogger("bakeline_sandbox")


def refuse(code: str, message: str) -> ServiceException:
    """An error in EC2's own form."""
    from moto.ec2.exceptions import EC2ClientError

    return EC2ClientError(code, message)


def on(owner: Any, name: str = "") -> Callable[[Any], Any]:
    """Put the function below on one of moto's classes or modules, in place of moto's own."""

    def put(function: Any) -> Any:
        setattr(owner, name or function.__name__, function)
        return function

    return put


class World:
    """The state behind the API. `lock` is held during every EC2 call and by the last line of every job."""

    def __init__(self, backend: Backend, pending_seconds: float = 0.5) -> None:
        self.backend, self.default_pending, self.lock = backend, pending_seconds, threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Back to the state of a fresh server; the caller has ended the instances."""
        self.pending_seconds = self.default_pending
        self.queues: dict[str, ThreadPoolExecutor] = {}
        self.frozen: set[str] = set()  # layers whose content exists
        self.addresses: set[str] = set()
        self.next_address: dict[IPv4Network, int] = {}
        self.tokens: dict[tuple[str, ...], tuple[str, Any]] = {}
        self.copies: list[dict[str, Any]] = []  # how the next copies go
        self.undeletable: list[tuple[str | None, str]] = []  # snapshots that stay, and the code that says why
        self.parameter_seconds = 0.0
        self.last_stamp = datetime.now(UTC).replace(tzinfo=None)

    def stamp(self) -> datetime:
        """The time now, in whole milliseconds, never the same twice."""
        now = datetime.now(UTC).replace(tzinfo=None)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.last_stamp = max(now, self.last_stamp + timedelta(milliseconds=1))
        return self.last_stamp

    def submit(self, instance_id: str, job: Callable[[], object]) -> None:
        """Queue work for one instance; each instance's work runs in order, one at a time."""
        if instance_id not in self.queues:
            self.queues[instance_id] = ThreadPoolExecutor(1, thread_name_prefix=instance_id)
        self.queues[instance_id].submit(_logged, job)

    def take_address(self, network: IPv4Network, wanted: str | None = None) -> str:
        """An address that no instance of any region or account has; freed ones come round last."""
        usable = network.num_addresses - 5
        for _ in range(1 if wanted else usable):
            offset = self.next_address.get(network, 0)
            address = wanted or str(network[4 + offset])
            if not wanted:
                self.next_address[network] = (offset + 1) % usable
            if address not in self.addresses:
                self.addresses.add(address)
                return address
        if wanted:
            raise refuse("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
        raise refuse("InsufficientFreeAddressesInSubnet", f"There are no free addresses left in {network}.")

    def collect(self) -> None:
        """Drop the content of every layer that no snapshot and no living instance stands on."""
        with self.lock:
            used = {layer for instance in instances() for layer in instance.layers}
            for ec2 in backends():
                used |= {layer for snapshot in ec2.snapshots.values() for layer in getattr(snapshot, "layers", ())}
            dead = self.frozen - used
            self.frozen &= used
        for layer in dead:
            self.backend.drop_layer(layer)

    def collect_soon(self) -> None:
        """The same, outside the call that asked for it."""
        threading.Thread(target=_logged, args=(self.collect,), daemon=True).start()

    def ended(self, instance_id: str, how: Ended) -> None:
        """Called by the backend when an instance ended by itself."""
        with self.lock:
            for instance in instances():
                if instance.id == instance_id and instance_id in self.queues:
                    self.submit(instance_id, partial(instance.ended, how))


def _logged(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception:
        LOG.exception("a background job failed")


def backends(region: str | None = None) -> Iterator[Any]:
    """The EC2 backends that exist, of every account."""
    for regions in list(ec2_backends.values()):
        yield from (ec2 for name, ec2 in list(dict.items(regions)) if region in (None, name))


def instances() -> Iterator[Any]:
    """Every instance of every account and region."""
    for ec2 in backends():
        for reservation in list(ec2.reservations.values()):
            yield from reservation.instances


_worlds: list[World] = []


def use(world: World) -> None:
    """Make this the world that the patched moto works in."""
    _worlds[:] = [world]


def here() -> World:
    """The world in use."""
    return _worlds[0]
