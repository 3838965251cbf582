"""Validates tags, names and descriptions of a request before EC2 changes anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .state import client_error

# EC2's answer: `Value (...) for parameter GroupDescription is invalid. Character sets beyond ASCII
# are not supported.` (hashicorp/terraform-provider-aws#43854). ModifyImageAttribute answers the
# same (wendylabsinc/WendyOS-Builder#56).
ASCII_PARAMETERS = {  # action: parameters, with their names in EC2's error
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
RULE_ACTIONS = (
    *("AuthorizeSecurityGroup", "UpdateSecurityGroupRuleDescriptions"),
    "ModifySecurityGroupRules",
)
PEER_MEMBERS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
MAX_TAGS, MAX_KEY_LENGTH, MAX_VALUE_LENGTH = 50, 128, 256
# EC2's error lists these characters (aws-cloudformation/cfn-lint#173,
# cds-snc/notification-terraform#561).
DESCRIPTION = re.compile(r"[A-Za-z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
ALLOWED = (
    "strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
)


def validate_texts(action: str, parameters: dict[str, Any]) -> None:
    """Fails if EC2 would reject the tags, names or descriptions of a call."""
    _validate_tags(parameters)
    for parameter, name in ASCII_PARAMETERS.get(action, {}).items():
        value = parameters.get(parameter)
        text = value.get("Value") if isinstance(value, dict) else value
        _validate_ascii(name, str(text or ""))
    if action == "ModifyImageAttribute" and parameters.get("Attribute") == "description":
        _validate_ascii("Description", str(parameters.get("Value") or ""))
    if action == "CreateSecurityGroup":
        _validate_description("security group", str(parameters.get("Description") or ""))
    if action.startswith(RULE_ACTIONS):
        for description in _rule_descriptions(parameters):
            _validate_description("rule", description)


def _validate_ascii(name: str, text: str) -> None:
    if not text.isascii():
        reason = "Character sets beyond ASCII are not supported."
        message = f"Value ({text}) for parameter {name} is invalid. {reason}"
        raise client_error("InvalidParameterValue", message)


def _validate_description(kind: str, text: str) -> None:
    if not DESCRIPTION.fullmatch(text):
        message = f"Invalid {kind} description. Valid descriptions are {ALLOWED}"
        raise client_error("InvalidParameterValue", message)


def _rule_descriptions(parameters: dict[str, Any]) -> Iterator[str]:
    for permission in parameters.get("IpPermissions") or []:
        for member in PEER_MEMBERS:
            for peer in permission.get(member) or []:
                yield str(peer.get("Description") or "")
    for description in parameters.get("SecurityGroupRuleDescriptions") or []:
        yield str(description.get("Description") or "")
    for update in parameters.get("SecurityGroupRules") or []:
        yield str((update.get("SecurityGroupRule") or {}).get("Description") or "")


def _validate_tags(parameters: dict[str, Any]) -> None:
    specifications = [
        *(parameters.get("TagSpecifications") or []),
        *(parameters.get("TagSpecification") or []),
    ]
    tag_lists = [specification.get("Tags") or [] for specification in specifications]
    if any(len(tags) > MAX_TAGS for tags in tag_lists):
        text = "The maximum number of Tags for a resource has been reached."
        raise client_error("TagLimitExceeded", text)
    for tag in [*(parameters.get("Tags") or []), *(tag for tags in tag_lists for tag in tags)]:
        if str(tag.get("Key", "")).lower().startswith("aws:"):
            text = f"Tag keys starting with 'aws:' are reserved for internal use: {tag['Key']}"
            raise client_error("InvalidParameterValue", text)
        _validate_length("key", str(tag.get("Key") or ""), MAX_KEY_LENGTH)
        _validate_length("value", str(tag.get("Value") or ""), MAX_VALUE_LENGTH)


def _validate_length(member: str, text: str, limit: int) -> None:
    # iriusrisk/GoCD-EC2-Elastic-Agent-Plugin#24
    if len(text) > limit:
        message = f"Tag {member} exceeds the maximum length of {limit} characters"
        raise client_error("InvalidParameterValue", message)
