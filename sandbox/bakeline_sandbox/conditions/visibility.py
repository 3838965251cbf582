"""Delays the visibility of new resources, tags and permissions, as EC2's eventual consistency does.

    settle      {}
    visibility  {"security-group"?: n, "key-pair"?: n, "instance"?: n, "image"?: n, "snapshot"?: n,
                "tag"?: n, "launch-permission"?: n, "deregistered"?: n}     seconds

Until its delay is over, a new resource is missing from all lists, and every call that refers to it
answers NotFound. New tags are missing from lists and do not match filters; a call that names IDs
returns them. A new permission does not allow CopyImage. `deregistered` is the time for which
DescribeImages still returns a deregistered AMI to its owner. `settle` ends the delays of everything
that exists, so that a test can prepare a state; the delays of later changes stay.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .settings import check_members, check_number

RESOURCE_KINDS = ("security-group", "key-pair", "instance", "image", "snapshot")
KINDS = (*RESOURCE_KINDS, "tag", "launch-permission", "deregistered")
_CREATED_KINDS = {
    "CreateSecurityGroup": ("security-group",),
    "CreateKeyPair": ("key-pair",),
    "ImportKeyPair": ("key-pair",),
    "RunInstances": ("instance",),
    "CreateFleet": ("instance",),
    "CreateImage": ("image", "snapshot"),
    "CopyImage": ("image", "snapshot"),
    "RegisterImage": ("image",),
    "CreateSnapshot": ("snapshot",),
    "CreateSnapshots": ("snapshot",),
    "CopySnapshot": ("snapshot",),
}
# EC2 decides these calls with the current state: duplicate names, a deletion by name (which
# succeeds without a key pair of that name), and the deletion of an AMI's own snapshot.
_CURRENT_KINDS = {
    "CreateSecurityGroup": ("security-group",),
    "CreateKeyPair": ("key-pair",),
    "ImportKeyPair": ("key-pair",),
    "DeleteKeyPair": ("key-pair",),
    "DeregisterImage": ("snapshot",),
}
_TAG_CALLS = ("CreateTags", "DeleteTags")
_COLLECTIONS = {
    "image": "amis",
    "snapshot": "snapshots",
    "key-pair": "key_pairs",
    "instance": "reservations",
}
_NOT_FOUND = {
    "security-group": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    "key-pair": ("InvalidKeyPair.NotFound", "The key pair '{}' does not exist"),
    "instance": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "image": ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "snapshot": ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
}
Collection = dict[str, Any]  # of moto: resources by ID or name


@dataclass(eq=False)
class _Hidden:
    """Entry of a collection that is not visible yet. `item` is set while a call runs."""

    kind: str
    collection: Collection
    key: str
    created_at: float
    item: Any = None

    @property
    def ids(self) -> set[str]:
        """IDs of the resources; a reservation has those of its instances."""
        return {resource.id for resource in getattr(self.item, "instances", [self.item])}


@dataclass
class Visibility:
    """Delays by kind, and what is not visible yet.

    EC2 answers one call at a time. Hidden resources are taken out of moto's collections for the
    duration of a call.
    """

    delays: dict[str, float] = field(default_factory=dict)
    _hidden: list[_Hidden] = field(default_factory=list)
    # By backend and resource: the times at which tags changed, and the tags before.
    _old_tags: dict[tuple[int, str], list[tuple[float, dict[str, str]]]] = field(
        default_factory=dict
    )
    _permissions: dict[tuple[str, str], float] = field(default_factory=dict)
    _deregistered: list[tuple[float, Any]] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Returns the delays in seconds."""
        return dict(self.delays)

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all delays, also for what is not visible yet."""
        members = check_members(body, KINDS)
        self.delays = {kind: check_number(value, kind) for kind, value in members.items()}
        return self.describe()

    def settle(self) -> dict[str, Any]:
        """Makes everything visible that exists now; the delays stay."""
        count = len(self._hidden) + len(self._old_tags) + len(self._permissions)
        count += len(self._deregistered)
        self._hidden, self._old_tags, self._permissions, self._deregistered = [], {}, {}, []
        return {"settled": count}

    def _is_new(self, kind: str, created_at: float) -> bool:
        return created_at + self.delays.get(kind, 0) > time.monotonic()

    @contextmanager
    def hide_new(self, response: Any) -> Iterator[None]:
        """Hides what is not visible yet while moto answers a call; records what is new."""
        if not (self.delays or self._hidden or self._old_tags):
            yield
            return
        action, ec2 = response._get_action(), response.ec2_backend
        hidden = self._take_hidden(action)
        tags = self._take_tags(ec2, action, getattr(response, "params", None) or {})
        kinds = [kind for kind in _CREATED_KINDS.get(action, ()) if self.delays.get(kind)]
        existing = [entry[1:] for entry in _list_entries(ec2, kinds)]
        known = {(id(collection), key) for collection, key in existing}
        try:
            if action in _TAG_CALLS:
                _check_not_hidden(hidden, response._get_param("Resources", []))
            yield
        finally:
            ec2.tags.update(tags)
            for kind, collection, key in _list_entries(ec2, kinds):
                if (id(collection), key) not in known:
                    entry = _Hidden(kind, collection, key, time.monotonic())
                    self._hidden.append(entry)
            for entry in hidden:
                entry.collection[entry.key], entry.item = entry.item, None

    def _take_hidden(self, action: str) -> list[_Hidden]:
        """Removes the hidden resources from moto's collections; returns their entries."""
        self._hidden = [
            entry for entry in self._hidden if self._is_new(entry.kind, entry.created_at)
        ]
        current = _CURRENT_KINDS.get(action, ())
        hidden = [
            entry
            for entry in self._hidden
            if entry.kind not in current and entry.key in entry.collection
        ]
        for entry in hidden:
            entry.item = entry.collection.pop(entry.key)
        return hidden

    def with_hidden(self, collection: Collection) -> list[Any]:
        """Returns all resources of a collection during a call, also those that it hides."""
        hidden = [entry for entry in self._hidden if entry.collection is collection]
        return [*collection.values(), *(entry.item for entry in hidden if entry.item is not None)]

    def note_tags(self, ec2: Any, resource_ids: list[str]) -> None:
        """Records the tags of resources before they change."""
        if self.delays.get("tag"):
            for resource_id in resource_ids:
                change = (time.monotonic(), dict(ec2.tags.get(resource_id, {})))
                self._old_tags.setdefault((id(ec2), resource_id), []).append(change)

    def settle_tags(self, ec2: Any, resource_ids: list[str]) -> None:
        """Makes the current tags of some resources visible."""
        for resource_id in resource_ids:
            self._old_tags.pop((id(ec2), resource_id), None)

    def _take_tags(
        self, ec2: Any, action: str, parameters: dict[str, Any]
    ) -> dict[str, dict[str, str]]:
        """Sets the visible tags for a list or filter; returns the current tags."""
        for key, changes in list(self._old_tags.items()):
            self._old_tags[key] = [change for change in changes if self._is_new("tag", change[0])]
            if not self._old_tags[key]:
                del self._old_tags[key]
        names_resources = any(
            name.endswith(("Ids", "Id", "Names", "Name"))
            for name in parameters
            if name != "Filters"
        )
        if not action.startswith("Describe") or names_resources:
            return {}
        current = {}
        for (backend, resource_id), changes in self._old_tags.items():
            if backend == id(ec2) and resource_id in ec2.tags:
                current[resource_id] = ec2.tags[resource_id]
                ec2.tags[resource_id] = changes[0][1]
        return current

    def note_permission(self, resource_id: str, target: str) -> None:
        """Records a new permission of an account, an ARN or `all` on an AMI or snapshot."""
        if self.delays.get("launch-permission"):
            self._permissions[resource_id, target] = time.monotonic()

    def is_permission_visible(
        self, resource_ids: list[str], account: str, arns: Sequence[str] = ()
    ) -> bool:
        """Returns True if the permissions on these resources are in effect for the account.

        `arns` are the organization and the organizational units of the account.
        """
        keys = [(name, target) for name in resource_ids for target in (account, "all", *arns)]
        times = [self._permissions[key] for key in keys if key in self._permissions]
        return not any(self._is_new("launch-permission", created_at) for created_at in times)

    def note_deregistered(self, image: Any) -> None:
        """Keeps a copy of an AMI that is about to be deregistered, with its tags."""
        if self.delays.get("deregistered"):
            kept = copy.copy(image)
            kept.kept_tags, kept.deregistered = image.get_tags(), True
            self._deregistered.append((time.monotonic(), kept))

    def list_deregistered(self, ec2: Any) -> list[Any]:
        """Returns the AMIs of a backend that were deregistered recently."""
        self._deregistered = [
            entry for entry in self._deregistered if self._is_new("deregistered", entry[0])
        ]
        return [image for _, image in self._deregistered if image.ec2_backend is ec2]


def _list_entries(ec2: Any, kinds: list[str]) -> list[tuple[str, Collection, str]]:
    """Returns kind, collection and key of all resources of some kinds."""
    entries = []
    for kind in kinds:
        is_group = kind == "security-group"
        collections = ec2.groups.values() if is_group else [getattr(ec2, _COLLECTIONS[kind])]
        for collection in collections:
            entries += [(kind, collection, key) for key in collection]
    return entries


def _check_not_hidden(hidden: list[_Hidden], resource_ids: list[str]) -> None:
    """Fails if a call names a hidden resource; moto does not check the IDs of all types."""
    from ..ec2.state import client_error

    for entry in hidden:
        if names := entry.ids & set(resource_ids):
            code, text = _NOT_FOUND[entry.kind]
            raise client_error(code, text.format(names.pop()))
