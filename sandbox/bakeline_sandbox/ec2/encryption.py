"""Implements EBS encryption: default keys, keys of volumes and snapshots, and access to keys."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterDependency
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.kms.models import kms_backends

from ..conditions.encryption import AWS_MANAGED, Encryption
from ..conditions.policy_documents import matches
from .state import client_error, current_state, patch

_USES = ("kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant")
_ORGANIZATION_KEYS = ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths")


def _settings() -> Encryption:
    return current_state().conditions.encryption


def find_key(region: str, account: str, key_id: str) -> Any:
    """Returns the key for an ID, alias or ARN that can be used in a Region, or None."""
    if key_id.startswith("arn:"):
        parts = key_id.split(":")
        if len(parts) < 6 or parts[3] != region:
            return None
        account = parts[4]
    try:
        return kms_backends[account][region].describe_key(key_id)
    except Exception:  # moto raises KeyError and others for unknown keys
        return None


def _find_managed_key(ec2: Any) -> Any:
    """Returns the AWS-managed key of an account and Region, which exists from its first use on."""
    key = kms_backends[ec2.account_id][ec2.region_name].describe_key(f"alias/{AWS_MANAGED}")
    key.key_manager = "AWS"
    return key


def find_default_key(ec2: Any) -> str:
    """Returns the ARN of the key for new encrypted volumes; fails if it does not exist."""
    name = _settings().default_key(ec2.account_id, ec2.region_name)
    if name == AWS_MANAGED:
        return str(_find_managed_key(ec2).arn)
    return require_key(ec2, name)


def require_key(ec2: Any, key_id: str) -> str:
    """Returns the ARN of a key; fails unless the account can use it in this Region."""
    if key_id == f"alias/{AWS_MANAGED}":
        return str(_find_managed_key(ec2).arn)
    key = find_key(ec2.region_name, ec2.account_id, key_id)
    if key is None:
        text = f"The KMS key '{key_id}' does not exist in {ec2.region_name}."
        raise client_error("InvalidKmsKey.NotFound", text)
    if reason := find_obstacle(ec2.region_name, ec2.account_id, key.arn):
        raise client_error("InvalidKmsKey.InvalidState", reason)
    return str(key.arn)


def is_enabled(ec2: Any) -> bool:
    """Returns True if new volumes of this account and Region are encrypted."""
    return _settings().is_enabled(ec2.account_id, ec2.region_name)


def is_managed(key_id: str | None) -> bool:
    """Returns True for the ARN of an AWS-managed key."""
    parts = (key_id or "").split(":")
    key = find_key(parts[3], parts[4], key_id or "") if len(parts) == 6 else None
    return key is not None and key.key_manager == "AWS"


def find_obstacle(region: str, account: str, key_id: str) -> str | None:
    """Returns why an account cannot use a key, or None if it can."""
    key = find_key(region, account, key_id)
    if key is None:
        return f"The KMS key {key_id} does not exist in {region} or can't be used"
    if key.key_state != "Enabled":
        return f"The KMS key {key.arn} is in the state {key.key_state} and can't be used"
    if account == key.account_id or _allows(key.policy, account) or _has_grant(key, account):
        return None
    return (
        f"Given key ID is not accessible: the policy and the grants of {key.arn} "
        f"do not allow the account {account}"
    )


def find_denied_use(response: Any, key_id: str | None, uses: tuple[str, ...]) -> str | None:
    """Returns why EC2 cannot use a customer key with the permissions of a caller, or None."""
    policies = current_state().conditions.policies
    if not key_id or is_managed(key_id) or not key_id.startswith("arn:"):
        return None
    if all(policies.allows_key(response, use, key_id) for use in uses):
        return None
    return "Given key ID is not accessible"  # EC2 does not name the missing permission


def _allows(policy: str, account: str) -> bool:
    """Returns True if a key policy names the account, or the principals of an organization."""
    statements = json.loads(policy or "{}").get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal, actions = statement.get("Principal"), statement.get("Action", [])
        names = principal.get("AWS", []) if isinstance(principal, dict) else principal
        patterns = actions if isinstance(actions, list) else [actions]
        if (
            statement.get("Effect") == "Allow"
            and any(matches(pattern, use, True) for pattern in patterns for use in _USES)
            and any(
                _names_account(name, statement, account)
                for name in (names if isinstance(names, list) else [names])
            )
        ):
            return True
    return False


def _names_account(principal: str, statement: dict[str, Any], account: str) -> bool:
    if principal != "*":
        return principal == account or f"::{account}:" in principal
    conditions = {
        key: value
        for members in (statement.get("Condition") or {}).values()
        for key, value in members.items()
    }
    accounts = conditions.get("kms:CallerAccount")
    if accounts is not None:
        return account in (accounts if isinstance(accounts, list) else [accounts])
    return not conditions or any(key in conditions for key in _ORGANIZATION_KEYS)


def _has_grant(key: Any, account: str) -> bool:
    return any(
        account == grant.grantee_principal or f"::{account}:" in grant.grantee_principal
        for grant in key.grants.values()
        if {f"kms:{operation}" for operation in grant.operations} & set(_USES)
    )


_moto_create_volume = EC2Backend.create_volume
_moto_create_snapshot = EC2Backend.create_snapshot


@patch(EC2Backend)
def create_volume(
    self: Any,
    size: Any,
    zone_name: str,
    snapshot_id: str | None = None,
    encrypted: bool = False,
    kms_key_id: str | None = None,
    **options: Any,
) -> Any:
    """Creates a volume, encrypted if the request, its snapshot or the account demands it."""
    snapshot = self.snapshots.get(snapshot_id)
    encrypted, key = select_key(self, encrypted, kms_key_id, snapshot)
    return _moto_create_volume(
        self, size, zone_name, snapshot_id, encrypted=encrypted, kms_key_id=key, **options
    )


def select_key(
    ec2: Any, encrypted: bool, key_id: str | None, snapshot: Any
) -> tuple[bool, str | None]:
    """Returns whether a volume is encrypted, and the ARN of its key.

    Without a key in the request, that of a snapshot of the same account or the default key applies.
    """
    is_copy = snapshot is not None and snapshot.encrypted
    if not (encrypted or is_copy or is_enabled(ec2)):
        if key_id:
            raise InvalidParameterDependency("KmsKeyId", "Encrypted")
        return False, None
    if key_id:
        return True, require_key(ec2, key_id)
    is_own = is_copy and snapshot.owner_id == ec2.account_id
    return True, (snapshot.kms_key_id if is_own else None) or find_default_key(ec2)


@patch(EC2Backend)
def create_snapshot(self: Any, volume_id: str, *args: Any, **kwargs: Any) -> Any:
    """Creates a snapshot with the key of its volume."""
    snapshot = _moto_create_snapshot(self, volume_id, *args, **kwargs)
    snapshot.kms_key_id = snapshot.volume.kms_key_id
    return snapshot


def encrypt_root_volume(volume: Any, snapshot: Any, has_key: bool) -> str | None:
    """Encrypts the root volume of a launch like the snapshot of its AMI.

    Returns why the launch must fail, or None if the account can use the key of the snapshot.
    """
    if not snapshot.encrypted:
        return None
    ec2 = volume.ec2_backend
    if not has_key:
        volume.encrypted, volume.kms_key_id = select_key(ec2, True, None, snapshot)
    return find_obstacle(ec2.region_name, ec2.account_id, snapshot.kms_key_id or "")


def check_shareable(snapshot: Any, code: str, text: str) -> None:
    """Fails with this error if the key of a snapshot cannot be shared."""
    if snapshot.encrypted and is_managed(snapshot.kms_key_id):
        raise client_error(code, text)


@patch(EC2Backend)
def get_ebs_encryption_by_default(self: Any) -> bool:
    """Returns True if new volumes are encrypted."""
    return is_enabled(self)


@patch(EC2Backend)
def enable_ebs_encryption_by_default(self: Any) -> None:
    """Encrypts new volumes of this account and Region."""
    _settings().switches[self.account_id, self.region_name] = True


@patch(EC2Backend)
def disable_ebs_encryption_by_default(self: Any) -> None:
    """Stops encrypting new volumes of this account and Region."""
    _settings().switches[self.account_id, self.region_name] = False


@patch(EC2Response)
def get_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """Implements GetEbsDefaultKmsKeyId."""
    self.error_on_dryrun()
    return _default_key_result(self.ec2_backend)


@patch(EC2Response)
def modify_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """Implements ModifyEbsDefaultKmsKeyId."""
    ec2, key_id = self.ec2_backend, self._get_param("KmsKeyId")
    key = require_key(ec2, key_id)
    self.error_on_dryrun()
    _settings().keys[ec2.account_id, ec2.region_name] = AWS_MANAGED if is_managed(key) else key
    return _default_key_result(ec2)


@patch(EC2Response)
def reset_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """Implements ResetEbsDefaultKmsKeyId."""
    self.error_on_dryrun()
    ec2 = self.ec2_backend
    _settings().keys[ec2.account_id, ec2.region_name] = AWS_MANAGED
    return _default_key_result(ec2)


def _default_key_result(ec2: Any) -> ActionResult:
    name = _settings().default_key(ec2.account_id, ec2.region_name)
    is_aws = name == AWS_MANAGED
    return ActionResult({"KmsKeyId": f"alias/{AWS_MANAGED}" if is_aws else name})
