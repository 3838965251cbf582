"""Refuses launches for lack of capacity, quotas, matching architectures or default networks.

    capacity  {"refuse"?: [{"instance_type"?: pattern, "zone"?, "subnet"?, "region"?, "account"?,
              "code"?: "InsufficientInstanceCapacity" | "Unsupported", "times"?: n,
              "dry_run"?: false}],
              "vcpu_limit"?: n, "architecture"?: true,
              "default_vpc"?: "none" | "no-subnets",
              "pending_images"?: true | [actions]}

An entry of `refuse` applies to launches that match all of its members, always or `times` times. Dry
runs do not notice a lack of capacity unless `dry_run` is true, but they notice `Unsupported`. A
launch without zone and subnet uses a zone that is not refused. `vcpu_limit` counts the vCPUs of
the pending and running instances of an account and Region. `architecture` compares the instance
type with the AMI. `default_vpc` removes the default VPC, or its default subnets, from all accounts;
the networks remain and can be named. `pending_images` answers these actions, or all that only the
owner of an AMI can call, with InvalidAMIID.Unavailable while the AMI is pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .policy_documents import matches
from .settings import (
    check_flag,
    check_list,
    check_members,
    check_number,
    check_text,
    check_texts,
)

INSUFFICIENT, UNSUPPORTED = "InsufficientInstanceCapacity", "Unsupported"
_MEMBERS = ("refuse", "vcpu_limit", "architecture", "default_vpc", "pending_images")
_PLACES = ("instance_type", "zone", "subnet", "region", "account")
_REFUSAL_MEMBERS = (*_PLACES, "code", "times", "dry_run")
_TEXTS = {
    INSUFFICIENT: (
        "We currently do not have sufficient {type} capacity in the Availability Zone you "
        "requested ({zone}). Our system will be working on provisioning additional capacity. You "
        "can currently get {type} capacity by not specifying an Availability Zone in your request "
        "or choosing another one."
    ),
    UNSUPPORTED: (
        "Your requested instance type ({type}) is not supported in your requested Availability "
        "Zone ({zone}). Please retry your request by not specifying an Availability Zone or "
        "choosing another one."
    ),
}


@dataclass(frozen=True)
class Launch:
    """Launch that EC2 is about to make."""

    account: str
    region: str
    instance_type: str
    zone: str
    subnet: str
    is_dry_run: bool = False


@dataclass
class Capacity:
    """Settings of this condition; `remaining` counts down the entries of `refuse` with `times`."""

    settings: dict[str, Any] = field(default_factory=dict)
    remaining: list[float] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Returns the settings as they were set."""
        return dict(self.settings)

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all settings."""
        members = check_members(body, _MEMBERS)
        refusals = check_list(members.get("refuse", []), "refuse")
        for entry in refusals:
            check_members(entry, _REFUSAL_MEMBERS, "an entry of refuse")
            for name in set(_PLACES) & set(entry):
                check_text(entry[name], name)
            check_text(entry.get("code", INSUFFICIENT), "code", tuple(_TEXTS))
            check_number(entry.get("times", 1), "times", 1)
            check_flag(entry.get("dry_run", False), "dry_run")
        check_number(members.get("vcpu_limit", 0), "vcpu_limit")
        check_flag(members.get("architecture", False), "architecture")
        check_text(members.get("default_vpc", "none"), "default_vpc", ("none", "no-subnets"))
        pending = members.get("pending_images", True)
        if pending is not True:
            check_texts(pending, "pending_images")
        self.settings = members
        self.remaining = [entry.get("times", float("inf")) for entry in refusals]
        return self.describe()

    def find_refusal(self, launch: Launch) -> tuple[str, str] | None:
        """Returns code and message for a launch in a zone without capacity, or None."""
        for index, entry in enumerate(self.settings.get("refuse", [])):
            code = entry.get("code", INSUFFICIENT)
            is_noticed = not launch.is_dry_run or code == UNSUPPORTED or entry.get("dry_run")
            if is_noticed and self.remaining[index] > 0 and _matches_launch(entry, launch):
                self.remaining[index] -= 1
                return code, _TEXTS[code].format(type=launch.instance_type, zone=launch.zone)
        return None

    def has_capacity(self, launch: Launch) -> bool:
        """Returns True if a zone is not refused; does not count as an attempt."""
        return not any(
            self.remaining[index] > 0 and _matches_launch(entry, launch)
            for index, entry in enumerate(self.settings.get("refuse", []))
        )

    def refuses_pending(self, action: str) -> bool:
        """Returns True if this action of an AMI's owner fails while the AMI is pending."""
        actions = self.settings.get("pending_images", ())
        return actions is True or action in actions

    @contextmanager
    def hide_default_network(self, ec2: Any) -> Iterator[None]:
        """Makes the default VPC and its subnets ordinary ones while moto answers a call."""
        state = self.settings.get("default_vpc")
        if not state:
            yield
            return
        vpcs = [vpc for vpc in ec2.vpcs.values() if vpc.is_default and state == "none"]
        zones = [subnet for zone in ec2.subnets.values() for subnet in zone.values()]
        subnets = [subnet for subnet in zones if subnet.default_for_az]
        _mark_default(vpcs, subnets, False)
        try:
            yield
        finally:
            _mark_default(vpcs, subnets, True)


def _mark_default(vpcs: list[Any], subnets: list[Any], value: bool) -> None:
    for vpc in vpcs:
        vpc.is_default = value
    for subnet in subnets:
        subnet.default_for_az = value


def _matches_launch(entry: dict[str, Any], launch: Launch) -> bool:
    return matches(entry.get("instance_type", "*"), launch.instance_type) and all(
        entry.get(name) in (None, getattr(launch, name))
        for name in ("zone", "subnet", "region", "account")
    )
