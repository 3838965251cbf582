"""Implements GetEbsDefaultKmsKeyId, and marks the default key of EBS as managed by AWS."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.kms.models import kms_backends

from .state import patch

MANAGED_ALIAS = "alias/aws/ebs"
_moto_create_default_key = EC2Backend._create_default_encryption_key


@patch(EC2Backend, "_create_default_encryption_key")
def create_default_key(self: Any) -> str:
    """Creates the key that AWS manages, unless it exists."""
    arn: str = _moto_create_default_key(self)
    kms_backends[self.account_id][self.region_name].describe_key(arn).key_manager = "AWS"
    return arn


@patch(EC2Response)
def get_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """Returns the alias of the key that AWS manages, unless the account has chosen another key."""
    self.error_on_dryrun()
    ec2 = self.ec2_backend
    key = ec2.default_kms_key_id
    kms = kms_backends[ec2.account_id][ec2.region_name]
    is_managed = not key or kms.describe_key(key).key_manager == "AWS"
    return ActionResult({"KmsKeyId": MANAGED_ALIAS if is_managed else key})
