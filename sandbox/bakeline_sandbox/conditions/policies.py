"""Denies calls as the policies of an organization, of roles and of sessions do.

    policies  {"deny"?: [{"action": pattern or [patterns], "account"?, "region"?: pattern,
              "require"?: {"imdsv2"?: true, "tags"?: {resource type: [keys]},
              "instance_types"?: [patterns], "subnets"?: [IDs],
              "headers"?: {header of S3: pattern}},
              "policy"?: "a service control policy", "sid"?: ID of the statement}],
              "enforce_roles"?: true}

`action` is a name such as RunInstances or ssm:PutParameter; patterns have the wildcards `*` and
`?`. A rule with `require` denies only calls that do not meet all requirements; one without it
denies all matching calls. `enforce_roles` limits each role to what its inline and attached policies
and its permissions boundary in IAM allow, and checks the trust policy of an assumed role. A role
that does not exist in IAM can do nothing. The root user is not limited. The session policy of
AssumeRole (`Policy`) is always enforced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from ..api_call import ApiCall
from .authorization import Caller, RequestBuilder
from .failure_messages import MessageCipher, describe_failure
from .policy_documents import (
    MalformedPolicyError,
    Request,
    UnsupportedPolicyError,
    find_matches,
    matches,
    parse_policy,
)
from .settings import check_flag, check_list, check_members, check_text, check_texts

SERVICE_CONTROL_POLICY = "a service control policy"
_ALWAYS_ALLOWED = ("sts:GetCallerIdentity", "sts:GetSessionToken")
_MEMBERS = ("action", "account", "region", "require", "policy", "sid")
_REQUIREMENTS = ("imdsv2", "tags", "instance_types", "subnets", "headers")


@dataclass
class Denial:
    """Reason why a request is denied, as in the messages of AWS."""

    request: Request
    reason: str
    explicit: bool = False
    statement: dict[str, Any] | None = None


@dataclass
class Rule:
    """Explicit deny of an organization."""

    actions: list[str]
    account: str = ""
    region: str = ""
    require: dict[str, Any] = field(default_factory=dict)
    policy: str = SERVICE_CONTROL_POLICY
    sid: str = ""

    def find_violation(self, requests: list[Request], caller: Caller) -> Denial | None:
        """Returns the denial of the first request that violates this rule."""
        if self.account not in ("", caller.account):
            return None
        for request in requests:
            names = (request.action, request.action.partition(":")[2])
            is_named = any(matches(action, name, True) for action in self.actions for name in names)
            region = request.keys["aws:requestedregion"][0]
            if not is_named or not matches(self.region or "*", region):
                continue
            if self._is_violated(request, requests):
                reason = f"with an explicit deny in {self.policy}"
                return Denial(request, reason, True, self._to_statement())
        return None

    def _to_statement(self) -> dict[str, Any]:
        """Returns the statement of a policy that says the same, for its conditions on a launch."""
        conditions: dict[str, Any] = {}
        if self.require.get("imdsv2"):
            conditions["StringNotEquals"] = {"ec2:MetadataHttpTokens": "required"}
        if types := self.require.get("instance_types"):
            conditions["StringNotLike"] = {"ec2:InstanceType": types}
        return {"Sid": self.sid, "Effect": "Deny", "Condition": conditions}

    def _is_violated(self, request: Request, requests: list[Request]) -> bool:
        resource_type = request.resource.partition("/")[0].rpartition(":")[2]
        is_launch = (request.action, resource_type) == ("ec2:RunInstances", "instance")
        tags = self.require.get("tags", {}).get(resource_type, [])
        if request.is_new and set(tags) - set(request.keys.get("aws:tagkeys", ())):
            return True
        tokens = request.keys.get("ec2:metadatahttptokens")
        if is_launch and self.require.get("imdsv2") and tokens != ("required",):
            return True
        if is_launch and (types := self.require.get("instance_types")):
            name = request.keys["ec2:instancetype"][0]
            if not any(matches(pattern, name) for pattern in types):
                return True
        if is_launch and (subnets := self.require.get("subnets")):
            used = [other.resource.rpartition("/")[2] for other in requests]
            if not set(subnets) & set(used):
                return True
        for header, pattern in self.require.get("headers", {}).items():
            values = request.keys.get(f"s3:{header.lower()}", ())
            if not any(matches(pattern, value) for value in values):
                return True
        return not self.require


@dataclass
class Policies:
    """Rules of the organization, and whether roles are limited to their policies."""

    rules: list[Rule] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    has_session_policies: bool = False
    enforce_roles: bool = False
    cipher: MessageCipher = field(default_factory=MessageCipher)

    def describe(self) -> dict[str, Any]:
        """Returns the settings as they were set."""
        return dict(self.settings)

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all rules and settings."""
        check_members(body, ("deny", "enforce_roles"))
        rules = [_parse_rule(entry) for entry in check_list(body.get("deny", []), "deny")]
        self.enforce_roles = check_flag(body.get("enforce_roles", False), "enforce_roles")
        self.rules, self.settings = rules, body
        return self.describe()

    @property
    def is_active(self) -> bool:
        """True if a policy can deny calls."""
        return bool(self.rules or self.enforce_roles or self.has_session_policies)

    def allows(self, response: Any, action: str, **parameters: str) -> bool:
        """Returns True if the caller of an EC2 call that moto answers may also do this."""
        return self._allows(response, "ec2", action, parameters)

    def allows_key(self, response: Any, action: str, key: str) -> bool:
        """Returns True if EC2 may use a KMS key in this way for the caller of an EC2 call."""
        return self._allows(response, "kms", action, {"KeyId": key})

    def _allows(self, response: Any, service: str, action: str, parameters: dict[str, str]) -> bool:
        if not self.is_active:
            return True
        from ..ec2 import sts_iam

        key, region = response.access_key, response.region
        session = sts_iam.find_session(key)
        root = f"arn:{response.partition}:iam::{response.current_account}:root"
        caller = session.arn if session else root
        call = ApiCall(service, region, action, key, caller, parameters=parameters)
        if service == "kms":
            call.region = parameters["KeyId"].split(":")[3]
            call.via = f"ec2.{call.region}.amazonaws.com"
        return self.find_denial(call) is None

    def check(self, call: ApiCall) -> Response | None:
        """Returns the error of a denied call, or None."""
        if not self.is_active:
            return None
        from ..ec2.state import current_state

        with current_state().lock:
            try:
                denial = self.find_denial(call)
            except (UnsupportedPolicyError, MalformedPolicyError) as error:
                text = f"The local EC2 cannot evaluate a policy for {call.caller}: {error}."
                return call.error_response(_error_code(call), text, _error_status(call))
        return None if denial is None else self._deny(call, denial)

    def find_denial(self, call: ApiCall) -> Denial | None:
        """Returns why a call is denied, or None if it is allowed."""
        from ..ec2 import sts_iam

        session = sts_iam.find_session(call.access_key)
        is_role = session is not None and not session.is_session_of_root
        caller = Caller(call.caller, session.role_arn if session and is_role else call.caller)
        requests = RequestBuilder(call, caller).list_requests()
        if requests[0].action in _ALWAYS_ALLOWED:
            return None
        for rule in self.rules:
            if denial := rule.find_violation(requests, caller):
                return denial
        if self.enforce_roles:
            role = sts_iam.find_role(session.role_arn) if session and is_role else None
            for request in requests if is_role else ():
                if denial := _check_role(role, request):
                    return denial
            if call.action == "AssumeRole" and (denial := _check_trust(requests[0], caller)):
                return denial
        if session is not None and session.policy:
            statements = parse_policy(session.policy)
            for request in requests:
                if denial := _check_statements(statements, request, "session policy"):
                    return denial
        return None

    def _deny(self, call: ApiCall, denial: Denial) -> Response:
        request, caller = denial.request, call.caller
        text = (
            f"User: {caller} is not authorized to perform: {request.action} on resource: "
            f"{request.resource} {denial.reason}"
        )
        if call.service == "ec2":
            details = describe_failure(request, caller, denial.explicit, denial.statement)
            text = (
                f"You are not authorized to perform this operation. {text}. "
                f"Encoded authorization failure message: {self.cipher.encode(details)}"
            )
        return call.error_response(_error_code(call), text, _error_status(call))


def _error_code(call: ApiCall) -> str:
    if call.is_json:
        return "AccessDeniedException"
    return "UnauthorizedOperation" if call.service == "ec2" else "AccessDenied"


def _error_status(call: ApiCall) -> int:
    return 400 if call.is_json else 403


def _check_statements(
    statements: list[dict[str, Any]], request: Request, kind: str
) -> Denial | None:
    """Returns a denial unless statements of one kind of policy allow the request."""
    found = find_matches(statements, request)
    if statement := found.get("Deny"):
        article = "an" if kind.startswith("identity") else "a"
        return Denial(request, f"with an explicit deny in {article} {kind}", True, statement)
    if "Allow" not in found:
        return Denial(request, f"because no {kind} allows the {request.action} action")
    return None


def _check_role(role: Any, request: Request) -> Denial | None:
    from ..ec2 import sts_iam

    texts = sts_iam.list_policy_documents(role) if role else []
    statements = [statement for text in texts for statement in parse_policy(text)]
    if denial := _check_statements(statements, request, "identity-based policy"):
        return denial
    if boundary := sts_iam.find_boundary_document(role):
        return _check_statements(parse_policy(boundary), request, "permissions boundary")
    return None


def _check_trust(request: Request, caller: Caller) -> Denial | None:
    """Returns a denial unless the assumed role exists and trusts the caller."""
    from ..ec2 import sts_iam

    role = sts_iam.find_role(request.resource)
    principals = {caller.arn, caller.role_arn, caller.account}
    principals.add(f"arn:{caller.partition}:iam::{caller.account}:root")
    if role is not None:
        statements = parse_policy(role.assume_role_policy_document)
        found = find_matches(statements, request, principals)
        if "Deny" in found:
            return Denial(request, "with an explicit deny in a resource-based policy", True)
        if "Allow" in found:
            return None
    return Denial(request, "because no resource-based policy allows the sts:AssumeRole action")


def _parse_rule(entry: Any) -> Rule:
    members = check_members(entry, _MEMBERS, "a rule of deny")
    action = members.get("action")
    actions = check_texts(action if isinstance(action, list) else [action], "action")
    require = check_members(members.get("require", {}), _REQUIREMENTS, "require")
    if "imdsv2" in require:
        check_flag(require["imdsv2"], "require.imdsv2")
    for name in ("instance_types", "subnets"):
        check_texts(require.get(name, []), f"require.{name}")
    headers = require.get("headers", {})
    for header, pattern in check_members(headers, headers, "require.headers").items():
        check_text(pattern, f"require.headers.{header}")
    tags = require.get("tags", {})
    for resource_type, keys in check_members(tags, tags, "require.tags").items():
        check_texts(keys, f"require.tags.{resource_type}")
    texts = {
        name: check_text(members[name], name)
        for name in ("account", "region", "policy", "sid")
        if name in members
    }
    return Rule(actions, require=require, **texts)
