"""Implements temporary credentials, and identifies callers by their access keys."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

from .state import patch


@patch(TokenResponse)
def get_session_token(self: Any) -> ActionResult:
    """Implements GetSessionToken: returns a key of the caller's account; moto's key is fixed."""
    role = f"arn:{self.partition}:iam::{self.current_account}:role/session"
    duration = self._get_int_param("DurationSeconds", 43200)
    key = self.backend.assume_role(self.region, "session", role, None, duration, None)
    return ActionResult({"Credentials": key})


def find_principal(access_key: str) -> tuple[str, bool] | None:
    """Returns the ARN for an access key, and True if the key has expired; None if unknown."""
    for sts in _list_backends(sts_backends):
        if role := sts.get_assumed_role_from_access_key(access_key):
            return role.arn, role.expiration < utcnow()
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
