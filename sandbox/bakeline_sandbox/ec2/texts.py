"""Checks of the texts in a call, before EC2 makes anything: reserved tag keys, and ASCII in names and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .world import refuse

# Seen at EC2: `Value (...) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.`
# (hashicorp/terraform-provider-aws#43854); ModifyImageAttribute answers alike (wendylabsinc/WendyOS-Builder#56).
ASCII_ONLY = {  # action: its text parameters that hold ASCII only, with the names that EC2's error has
    "CreateImage": {"Description": "Description"},
    "CopyImage": {"Description": "Description"},
    "RegisterImage": {"Description": "Description"},
    "ModifyImageAttribute": {"Description": "Description"},
    "CreateSnapshot": {"Description": "Description"},
    "CreateSnapshots": {"Description": "Description"},
    "CopySnapshot": {"Description": "Description"},
    "CreateSecurityGroup": {"GroupName": "GroupName", "Description": "GroupDescription"},
    "CreateKeyPair": {"KeyName": "KeyName"},
    "ImportKeyPair": {"KeyName": "KeyName"},
}
RULES = ("AuthorizeSecurityGroup", "UpdateSecurityGroupRuleDescriptions", "ModifySecurityGroupRules")
PEERS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
# The error names the set (aws-cloudformation/cfn-lint#173, cds-snc/notification-terraform#561).
DESCRIPTION = re.compile(r"[A-Za-z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
ALLOWED = "strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"


def check(action: str, params: dict[str, Any]) -> None:
    """Refuse a call whose tags, names or descriptions EC2 would refuse."""
    _check_tags(params)
    for member, name in ASCII_ONLY.get(action, {}).items():
        value = params.get(member)
        text = str((value.get("Value") if isinstance(value, dict) else value) or "")
        _check_ascii(name, text)
    if action == "ModifyImageAttribute" and params.get("Attribute") == "description":
        _check_ascii("Description", str(params.get("Value") or ""))
    if action == "CreateSecurityGroup" and not DESCRIPTION.fullmatch(str(params.get("Description") or "")):
        raise refuse("InvalidParameterValue", f"Invalid security group description. Valid descriptions are {ALLOWED}")
    if action.startswith(RULES):
        for text in _rule_descriptions(params):
            if not DESCRIPTION.fullmatch(text):
                raise refuse("InvalidParameterValue", f"Invalid rule description. Valid descriptions are {ALLOWED}")


def _check_ascii(name: str, text: str) -> None:
    if not text.isascii():
        reason = "Character sets beyond ASCII are not supported."
        raise refuse("InvalidParameterValue", f"Value ({text}) for parameter {name} is invalid. {reason}")


def _rule_descriptions(params: dict[str, Any]) -> Iterator[str]:
    for permission in params.get("IpPermissions") or []:
        for peer in (peer for kind in PEERS for peer in permission.get(kind) or []):
            yield str(peer.get("Description") or "")
    for described in params.get("SecurityGroupRuleDescriptions") or []:
        yield str(described.get("Description") or "")
    for changed in params.get("SecurityGroupRules") or []:
        yield str((changed.get("SecurityGroupRule") or {}).get("Description") or "")


def _check_tags(params: dict[str, Any]) -> None:
    specs = [*(params.get("TagSpecifications") or []), *(params.get("TagSpecification") or [])]
    listed = [spec.get("Tags") or [] for spec in specs]
    if any(len(tags) > 50 for tags in listed):
        raise refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    for tag in [*(params.get("Tags") or []), *(tag for tags in listed for tag in tags)]:
        if str(tag.get("Key", "")).lower().startswith("aws:"):
            text = f"Tag keys starting with 'aws:' are reserved for internal use: {tag['Key']}"
            raise refuse("InvalidParameterValue", text)
