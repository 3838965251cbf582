"""Puts accounts into organizations and organizational units, to which AMIs can be shared.

    organizations  {"members"?: {ACCOUNT: [ARN of its organization, of its units, ...]}}

An account without entry belongs to no organization. `ec2/images.py` applies the memberships.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .settings import check_members, check_texts


@dataclass
class Organizations:
    """Organizations and organizational units of each account."""

    members: dict[str, list[str]] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Returns the memberships as they were set."""
        return {"members": self.members} if self.members else {}

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all memberships."""
        members = check_members(body, ("members",)).get("members", {})
        checked = check_members(members, list(members), "members")
        self.members = {name: check_texts(arns, name) for name, arns in checked.items()}
        return self.describe()

    def targets_of(self, account: str) -> list[dict[str, str]]:
        """Returns the launch permissions of which an account is a target."""
        arns = self.members.get(account, [])
        kinds = [("OrganizationalUnitArn" if ":ou/" in a else "OrganizationArn", a) for a in arns]
        return [{"UserId": account}, {"Group": "all"}, *({kind: arn} for kind, arn in kinds)]
