"""Lists all resources of four locations with boto3, as a judge of leaks and of statements about resources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .catalog import tags
from .state import CloudObserver, Location

Key = tuple[Location, str, str]
"""Location, kind and ID."""


@dataclass(frozen=True)
class CloudListing:
    """Resources by key, with their properties as text."""

    resources: dict[Key, str]

    def without(self, other: CloudListing) -> list[Key]:
        """Returns the keys that only this listing has."""
        return sorted(self.resources.keys() - other.resources.keys())

    def ids(self) -> set[str]:
        return {ident for _, _, ident in self.resources}

    def of(self, place: Location, image: str) -> dict[Key, str]:
        """Returns the AMIs and parameters of an image in a location. Permissions to copy are not part of a location."""
        wanted = (f'"bakeline:image": "{image}"', f"/{image}/")
        found = {}
        for key, value in self.resources.items():
            if key[0] == place and key[1] in ("image", "parameter") and any(w in key[2] + value for w in wanted):
                found[key] = value
        return found

    def temporary(self) -> list[Key]:
        """Returns what must not outlive a run: temporary resources, candidates, and permissions to copy."""
        kinds = ("instance", "key pair", "group", "volume", "permission")
        return [
            key
            for key, value in self.resources.items()
            if key[1] in kinds or key[1] == "image" and ('"candidate"' in value or "bakeline:sharing" in value)
        ]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


class CloudLister:
    """Lists the resources of locations, with one set of clients."""

    def __init__(self, observer: CloudObserver, places: list[Location]) -> None:
        self.places = places
        self.clients = {(service, p): observer.client(service, p) for p in places for service in ("ec2", "ssm")}

    def list(self) -> CloudListing:
        return CloudListing({key: value for place in self.places for key, value in self._of(place)})

    def _of(self, place: Location) -> Iterator[tuple[Key, str]]:
        ec2, ssm = self.clients["ec2", place], self.clients["ssm", place]
        for ami in ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]:
            ident, its = ami["ImageId"], tags(ami)
            facts = {"state": ami["State"], "deprecated": "DeprecationTime" in ami, "tags": its}
            yield (place, "image", ident), _text(facts)
            if "bakeline:catalog" in its:
                shown = ec2.describe_image_attribute(ImageId=ident, Attribute="launchPermission")["LaunchPermissions"]
                for one in shown:
                    yield (place, "permission", f"{ident} {one.get('UserId')}"), ""
        for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
            yield (place, "snapshot", snapshot["SnapshotId"]), ""
        for page in ec2.describe_instances()["Reservations"]:
            for instance in page["Instances"]:
                if instance["State"]["Name"] not in ("terminated", "shutting-down"):
                    yield (place, "instance", instance["InstanceId"]), _text(tags(instance))
        for key in ec2.describe_key_pairs()["KeyPairs"]:
            yield (place, "key pair", key["KeyName"]), _text(tags(key))
        for group in ec2.describe_security_groups()["SecurityGroups"]:
            if group["GroupName"] != "default":
                yield (place, "group", group["GroupId"]), _text(tags(group))
        for volume in ec2.describe_volumes()["Volumes"]:
            yield (place, "volume", volume["VolumeId"]), _text(tags(volume))
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/bakeline", Recursive=True)
        for parameter in (one for page in pages for one in page["Parameters"]):
            yield (place, "parameter", parameter["Name"]), str(parameter["Value"])
