"""Encrypts new volumes by default, as accounts with EBS encryption by default do.

    encryption  {"defaults"?: [{"account"?, "region"?, "enabled"?: true,
                "kms_key"?: "aws/ebs" | ID, ARN or alias of a customer key}]}

The first entry that matches account and Region applies. EnableEbsEncryptionByDefault,
DisableEbsEncryptionByDefault and ModifyEbsDefaultKmsKeyId take precedence over it.
`ec2/encryption.py` applies the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .settings import check_flag, check_list, check_members, check_text

AWS_MANAGED = "aws/ebs"
_MEMBERS = ("account", "region", "enabled", "kms_key")
Location = tuple[str, str]  # account and Region


@dataclass
class Encryption:
    """Defaults by account and Region, and what accounts changed through the EC2 API."""

    defaults: list[dict[str, Any]] = field(default_factory=list)
    switches: dict[Location, bool] = field(default_factory=dict)
    keys: dict[Location, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Returns the defaults as they were set."""
        return {"defaults": self.defaults} if self.defaults else {}

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces the defaults, and forgets what accounts changed."""
        members = check_members(body, ("defaults",))
        defaults = check_list(members.get("defaults", []), "defaults")
        for entry in defaults:
            check_members(entry, _MEMBERS, "an entry of defaults")
            check_flag(entry.get("enabled", True), "enabled")
            for name in ("account", "region", "kms_key"):
                if name in entry:
                    check_text(entry[name], name)
        self.defaults, self.switches, self.keys = defaults, {}, {}
        return self.describe()

    def _find_default(self, account: str, region: str) -> dict[str, Any]:
        for entry in self.defaults:
            if entry.get("account") in (None, account) and entry.get("region") in (None, region):
                return entry
        return {"enabled": False}

    def is_enabled(self, account: str, region: str) -> bool:
        """Returns True if new volumes are encrypted."""
        default = bool(self._find_default(account, region).get("enabled", True))
        return self.switches.get((account, region), default)

    def default_key(self, account: str, region: str) -> str:
        """Returns the key of new encrypted volumes: `aws/ebs` or a customer key."""
        default = str(self._find_default(account, region).get("kms_key", AWS_MANAGED))
        key = self.keys.get((account, region), default)
        return AWS_MANAGED if key == f"alias/{AWS_MANAGED}" else key
