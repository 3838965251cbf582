"""Sets moderate values of the conditions, which a client that is correct on AWS survives.

    realistic  {"on": true, "imdsv2"?: false}

`imdsv2: false` leaves out the service control policy, which Packer before version 1.7 cannot meet.
`{"on": false}` switches these conditions off. `sandbox up --realistic` switches them on, also after
each reset. The table in the README of the sandbox lists the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .settings import check_flag, check_members

if TYPE_CHECKING:
    from .registry import Conditions

PENDING_SECONDS = 3.0  # of new AMIs and copies
REQUIRE_IMDSV2 = {"deny": [{"action": "ec2:RunInstances", "require": {"imdsv2": True}}]}
VALUES: dict[str, dict[str, Any]] = {
    "visibility": {
        "security-group": 2,
        "key-pair": 1,
        "instance": 2,
        "image": 2,
        "snapshot": 2,
        "tag": 3,
        "launch-permission": 3,
        "deregistered": 5,
    },
    "capacity": {
        "architecture": True,
        "pending_images": [
            *("DescribeImageAttribute", "ModifyImageAttribute", "DisableImage"),
            *("EnableImageDeprecation", "EnableImageDeregistrationProtection"),
        ],
    },
    "rates": {"enabled": True, "copies": 20},
    "policies": REQUIRE_IMDSV2,
}


class Realistic:
    """Values that this condition has set in the other ones."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.values: dict[str, dict[str, Any]] = {}

    @property
    def pending_seconds(self) -> float | None:
        """Seconds for which new AMIs are pending, or None for the default."""
        return PENDING_SECONDS if self.values else None

    def describe(self) -> dict[str, Any]:
        """Returns whether the conditions are on, and their values."""
        values = {**self.values, "pending": {"seconds": PENDING_SECONDS}} if self.values else {}
        return {"on": bool(self.values), "values": values}

    def replace(self, body: Any) -> dict[str, Any]:
        """Switches the conditions on or off."""
        from ..ec2.state import current_state

        self.apply(body)
        state = current_state()
        state.pending_seconds = self.pending_seconds or state.default_pending_seconds
        return self.describe()

    def apply(self, body: Any) -> None:
        """Sets the values of the other conditions."""
        members = check_members(body, ("on", "imdsv2"))
        is_on = check_flag(members.get("on", False), "on")
        has_imdsv2 = check_flag(members.get("imdsv2", True), "imdsv2")
        names = [name for name in VALUES if is_on and (has_imdsv2 or name != "policies")]
        for name in {*self.values, *names}:
            self.conditions.by_name[name].replace(VALUES[name] if name in names else {})
        self.values = {name: VALUES[name] for name in names}
