"""Implements temporary credentials, and identifies callers by their access keys."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError, STSValidationError
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

from ..conditions.policy_documents import MalformedPolicyError, parse_policy
from .state import current_state, patch

MAX_POLICY_LENGTH = 2048
AssumedRole.is_session_of_root = False  # of GetSessionToken
_moto_assume_role = TokenResponse.assume_role


@patch(TokenResponse)
def get_session_token(self: Any) -> ActionResult:
    """Implements GetSessionToken: returns a key of the caller's account; moto's key is fixed."""
    role = f"arn:{self.partition}:iam::{self.current_account}:role/session"
    duration = self._get_int_param("DurationSeconds", 43200)
    key = self.backend.assume_role(self.region, "session", role, None, duration, None)
    session = find_session(self.access_key)
    key.is_session_of_root = session is None or session.is_session_of_root
    return ActionResult({"Credentials": key})


@patch(TokenResponse)
def assume_role(self: Any) -> ActionResult:
    """Implements AssumeRole, with a session policy in the request."""
    if policy := self._get_param("Policy"):
        if len(policy) > MAX_POLICY_LENGTH:
            text = f"The plaintext of the session policy exceeds {MAX_POLICY_LENGTH} characters"
            raise STSValidationError(text)
        try:
            parse_policy(policy)
        except MalformedPolicyError as error:
            raise STSClientError("MalformedPolicyDocument", str(error)) from None
        current_state().conditions.policies.has_session_policies = True
    if self._get_param("PolicyArns"):
        text = "The sandbox supports session policies in `Policy`, not in `PolicyArns`."
        raise STSClientError("UnsupportedOperation", text)
    return _moto_assume_role(self)


@patch(TokenResponse)
def decode_authorization_message(self: Any) -> ActionResult:
    """Implements DecodeAuthorizationMessage for messages of this server."""
    policies = current_state().conditions.policies
    message = policies.cipher.decode(self._get_param("EncodedMessage") or "")
    if message is None:
        text = "The message is not valid, or it has expired."
        raise STSClientError("InvalidAuthorizationMessageException", text)
    return ActionResult({"DecodedMessage": message})


def find_session(access_key: str) -> Any:
    """Returns the session with this access key, or None."""
    for sts in _list_backends(sts_backends):
        if session := sts.get_assumed_role_from_access_key(access_key):
            return session
    return None


def find_role(arn: str) -> Any:
    """Returns the role with this ARN, or None."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[4] not in iam_backends:
        return None
    try:
        return iam_backends[parts[4]][parts[1]].get_role_by_arn(arn)
    except ServiceException:
        return None


def list_policy_documents(role: Any) -> list[str]:
    """Returns the inline and attached policies of a role as JSON."""
    attached = [_default_document(policy) for policy in role.managed_policies.values()]
    return [*role.policies.values(), *attached]


def find_boundary_document(role: Any) -> str | None:
    """Returns the permissions boundary of a role as JSON, or None if it has none."""
    if role is None or not role.permissions_boundary_arn:
        return None
    policies = iam_backends[role.account_id][role.partition].managed_policies
    return _default_document(policies[role.permissions_boundary_arn])


def _default_document(policy: Any) -> str:
    versions = {version.version_id: version.document for version in policy.versions}
    return str(versions[policy.default_version_id])


def find_principal(access_key: str) -> tuple[str, bool] | None:
    """Returns the ARN for an access key, and True if the key has expired; None if unknown."""
    if session := find_session(access_key):
        return session.arn, session.expiration < utcnow()
    for iam in _list_backends(iam_backends):
        if access_key not in iam.access_keys:
            continue
        if user := iam.get_user_from_access_key_id(access_key):
            return user.arn, False
    return None


def _list_backends(accounts: Any) -> list[Any]:
    """Returns the existing backends of all accounts and Regions; moto's values() adds others."""
    return [
        backend for regions in list(accounts.values()) for backend in list(dict.values(regions))
    ]
