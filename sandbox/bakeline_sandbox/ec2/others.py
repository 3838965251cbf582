"""What other services need to work with the EC2 extension: SSM's AMI parameters and STS's temporary keys."""

from __future__ import annotations

import threading
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

from .world import here, on

_put = SimpleSystemManagerResponse.put_parameter


@on(SimpleSystemManagerResponse)
def put_parameter(self: Any) -> ActionResult:
    """PutParameter: like AWS, a value of type aws:ec2:image that is no available AMI is accepted and not written."""
    existing = self.ssm_backend.get_parameter(self._get_param("Name"))
    if self._get_param("DataType") != "aws:ec2:image" or (existing and not self._get_param("Overwrite")):
        return _put(self)
    with here().lock:
        ec2 = ec2_backends[self.current_account][self.region]
        images = ec2.describe_images(filters={"image-id": self._get_param("Value"), "state": "available"})
    if images and not here().parameter_seconds:
        return _put(self)
    if images:
        threading.Timer(here().parameter_seconds, _put, (self,)).start()
    return ActionResult({"Version": (existing.version if existing else 0) + 1, "Tier": "Standard"})


@on(TokenResponse)
def get_session_token(self: Any) -> ActionResult:
    """GetSessionToken: a key of the caller's own account; moto has one fixed example key for all."""
    role = f"arn:{self.partition}:iam::{self.current_account}:role/session"
    duration = self._get_int_param("DurationSeconds", 43200)
    return ActionResult({"Credentials": self.backend.assume_role(self.region, "session", role, None, duration, None)})


def principal(key: str) -> tuple[str, bool] | None:
    """Whose key this is and whether it has expired; None when this server didn't issue it."""
    for sts in [sts for account in list(sts_backends.values()) for sts in list(dict.values(account))]:
        if role := sts.get_assumed_role_from_access_key(key):
            return role.arn, role.expiration < utcnow()
    for iam in [iam for account in list(iam_backends.values()) for iam in list(dict.values(account))]:
        if key in iam.access_keys and (user := iam.get_user_from_access_key_id(key)):
            return user.arn, False
    return None
