"""Evaluates IAM policy documents: actions, resources, principals and conditions.

moto evaluates neither conditions nor most resources. A document that uses more than this module
supports is an error as soon as it matters for a request, so that nothing is allowed by mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

MEMBERS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource"}
MEMBERS |= {"Condition"}
# Condition keys that a request can have. A key that it does not have is absent from the request.
KNOWN_KEYS = frozenset(
    "aws:requestedregion aws:principalarn aws:principalaccount aws:tagkeys ec2:region "
    "ec2:createaction ec2:instancetype ec2:metadatahttptokens iam:passedtoservice kms:viaservice "
    "kms:calleraccount kms:grantisforawsresource sts:externalid sts:rolesessionname "
    "s3:prefix".split()
)
KNOWN_PREFIXES = ("aws:requesttag/", "aws:resourcetag/", "ec2:resourcetag/", "s3:x-amz-")
# Claims of an ID token, after the host of its issuer.
KNOWN_SUFFIXES = (":aud", ":sub")
_OPERATOR = re.compile(
    r"(?P<set>ForAllValues:|ForAnyValue:)?"
    r"(?P<kind>String|Arn)(?P<negated>Not)?(?P<match>Equals|Like)(?P<case>IgnoreCase)?"
    r"(?P<optional>IfExists)?"
)


class MalformedPolicyError(ValueError):
    """Policy document that IAM would reject."""


class UnsupportedPolicyError(ValueError):
    """Policy document that IAM accepts and this module cannot evaluate."""


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the condition keys of the request in lower case."""

    action: str  # for example "ec2:RunInstances"
    resource: str = "*"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_new: bool = False  # the resource is created, so the request can contain its tags


@cache
def _compile(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """Returns True if the text matches a pattern with the wildcards `*` and `?`."""
    return _compile(pattern, ignore_case).fullmatch(text) is not None


def parse_policy(text: str) -> list[dict[str, Any]]:
    """Returns the statements of a policy document."""
    try:
        document = json.loads(text)
    except ValueError:
        raise MalformedPolicyError("This policy contains invalid Json") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyError("Syntax errors in policy.")
    for statement in statements:
        is_complete = isinstance(statement, dict) and statement.get("Effect") in ("Allow", "Deny")
        if not is_complete or not {"Action", "NotAction"} & set(statement):
            raise MalformedPolicyError("Syntax errors in policy.")
        if unknown := set(statement) - MEMBERS:
            raise UnsupportedPolicyError(f"the member {unknown.pop()} of a statement")
    return statements


def find_matches(
    statements: Iterable[dict[str, Any]], request: Request, principals: Iterable[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Returns the first matching statement for each effect.

    `principals` are the names of the caller in a trust or key policy.
    """
    found: dict[str, dict[str, Any]] = {}
    for statement in statements:
        if (
            statement["Effect"] not in found
            and _matches_action(statement, request.action)
            and _matches_resource(statement, request.resource, principals is not None)
            and (principals is None or _matches_principal(statement, principals))
            and _matches_conditions(statement, request.keys)
        ):
            found[statement["Effect"]] = statement
    return found


def _as_list(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _matches_action(statement: dict[str, Any], action: str) -> bool:
    name = "Action" if "Action" in statement else "NotAction"
    is_named = any(matches(pattern, action, True) for pattern in _as_list(statement[name]))
    return is_named == (name == "Action")


def _matches_resource(statement: dict[str, Any], resource: str, is_optional: bool) -> bool:
    name = "NotResource" if "NotResource" in statement else "Resource"
    if name not in statement:
        if is_optional:
            return True
        raise MalformedPolicyError("Policy statement must contain resources.")
    patterns = _as_list(statement[name])
    if any("${" in pattern for pattern in patterns):
        raise UnsupportedPolicyError(f"a variable in {name}")
    return any(matches(pattern, resource) for pattern in patterns) == (name == "Resource")


def _matches_principal(statement: dict[str, Any], principals: Iterable[str]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        kinds = [_as_list(principal.get(kind, [])) for kind in ("AWS", "Federated")]
        principal = [name for kind in kinds for name in kind]
    return any(name in ("*", *principals) for name in _as_list(principal))


def _matches_conditions(statement: dict[str, Any], keys: Mapping[str, tuple[str, ...]]) -> bool:
    # All conditions are checked for support, also after one that does not match.
    results = [
        _matches_condition(operator, key, _as_list(expected), keys)
        for operator, members in (statement.get("Condition") or {}).items()
        for key, expected in members.items()
    ]
    return all(results)


def _matches_condition(
    operator: str, key: str, expected: list[str], keys: Mapping[str, tuple[str, ...]]
) -> bool:
    name = key.lower()
    is_known = name in KNOWN_KEYS or name.startswith(KNOWN_PREFIXES)
    if not is_known and not name.endswith(KNOWN_SUFFIXES):
        raise UnsupportedPolicyError(f"the condition key {key}")
    if any("${" in value for value in expected):
        raise UnsupportedPolicyError(f"a variable in the condition on {key}")
    actual = keys.get(name)
    if operator == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    if operator in ("Bool", "BoolIfExists"):
        if actual is None:
            return operator == "BoolIfExists"
        return actual[0].lower() in [value.lower() for value in expected]
    parsed = _OPERATOR.fullmatch(operator)
    if parsed is None:
        raise UnsupportedPolicyError(f"the condition operator {operator}")
    return _matches_texts(parsed, expected, actual)


def _matches_texts(
    operator: re.Match[str], expected: list[str], actual: tuple[str, ...] | None
) -> bool:
    """Compares the values of a condition key with the expected ones."""
    is_negated, quantifier = bool(operator["negated"]), operator["set"]
    if actual is None:
        return is_negated or bool(operator["optional"]) or quantifier == "ForAllValues:"
    has_wildcards = operator["match"] == "Like" or operator["kind"] == "Arn"
    ignore_case = bool(operator["case"])

    def is_expected(value: str) -> bool:
        if has_wildcards:
            return any(matches(pattern, value, ignore_case) for pattern in expected)
        if ignore_case:
            return value.lower() in [text.lower() for text in expected]
        return value in expected

    results = [is_expected(value) != is_negated for value in actual]
    return all(results) if is_negated or quantifier == "ForAllValues:" else any(results)
