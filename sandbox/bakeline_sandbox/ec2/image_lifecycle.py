"""Implements attributes, deprecation, disabling, protection and deregistration of AMIs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response

from .encryption import check_shareable
from .images import Image, find_own_image
from .state import client_error, current_state, patch

_ATTRIBUTES = {
    "description": "description",
    "lastLaunchedTime": "last_launched_time",
    "deregistrationProtection": "deregistration_protection",
    "bootMode": "boot_mode",
    "imdsSupport": "imds_support",
    "sriovNetSupport": "sriov",
}
_PUBLIC_DEPRECATION = timedelta(days=731)  # latest deprecation of a public AMI after its creation
_DEPRECATION = timedelta(days=3653)  # of other AMIs, from now on
_COOLDOWN = timedelta(hours=24)


@patch(EC2Response)
def deregister_image(self: Any) -> ActionResult:
    """Implements DeregisterImage, with deletion of the snapshot if requested."""
    image, ec2 = find_own_image(self), self.ec2_backend
    now = datetime.now(UTC).replace(tzinfo=None)
    if image.deregistration_protection != "disabled" or (image.protected_until or now) > now:
        text = (
            f"{image.id} has deregistration protection, "
            "or had it with cooldown less than 24 hours ago"
        )
        raise client_error("OperationNotPermitted", text)
    current_state().conditions.visibility.note_deregistered(image)
    del ec2.amis[image.id]
    ec2.deleted_amis.append(image.id)
    ec2.tags.pop(image.id, None)
    if not self._get_param("DeleteAssociatedSnapshots"):
        return ActionResult({"Return": True, "DeleteSnapshotResults": []})
    return_code = _delete_snapshot_of(self, image)
    result = {"SnapshotId": image.ebs_snapshot.id, "ReturnCode": return_code}
    return ActionResult({"Return": True, "DeleteSnapshotResults": [result]})


def _delete_snapshot_of(response: Any, image: Image) -> str:
    """Deletes the snapshot of a deregistered AMI; returns the return code of the API."""
    ec2, snapshot_id = response.ec2_backend, image.ebs_snapshot.id
    policies = current_state().conditions.policies
    if not policies.allows(response, "DeleteSnapshot", SnapshotId=snapshot_id):
        return "missing-permissions"
    if _image_that_uses(ec2, snapshot_id):
        return "skipped"
    for plan in current_state().failing_deletions:
        if plan[0] in (None, snapshot_id, image.id):
            current_state().failing_deletions.remove(plan)
            return plan[1]
    if snapshot_id in ec2.snapshots:
        ec2.delete_snapshot(snapshot_id)
    return "success"


def _image_that_uses(ec2: Any, snapshot_id: str) -> str | None:
    images = current_state().conditions.visibility.with_hidden(ec2.amis)
    return next((image.id for image in images if image.ebs_snapshot.id == snapshot_id), None)


_moto_delete_snapshot = EC2Backend.delete_snapshot


@patch(EC2Backend)
def delete_snapshot(self: Any, snapshot_id: str) -> Any:
    """Deletes a snapshot and, in the background, disk layers that became unused."""
    image_id = _image_that_uses(self, snapshot_id) if snapshot_id in self.snapshots else None
    if image_id:
        text = f"The snapshot {snapshot_id} is currently in use by {image_id}"
        raise client_error("InvalidSnapshot.InUse", text)
    snapshot = _moto_delete_snapshot(self, snapshot_id)
    self.tags.pop(snapshot_id, None)
    current_state().delete_unused_layers_later()
    return snapshot


@patch(EC2Response)
def enable_image_deprecation(self: Any) -> ActionResult:
    """Implements EnableImageDeprecation, which rounds to the minute."""
    image, time, now = find_own_image(self), self._get_param("DeprecateAt"), datetime.now(UTC)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if image.is_public:
        latest = image.creation_date.replace(tzinfo=UTC) + _PUBLIC_DEPRECATION
    else:
        latest = now + _DEPRECATION
    if not now - timedelta(minutes=1) <= time <= latest:
        text = (
            "DeprecateAt must lie in the future and within ten years, "
            f"two for a public AMI: {time:%FT%TZ}"
        )
        raise client_error("InvalidParameterValue", text)
    image.deprecation_time = f"{time + timedelta(seconds=30):%Y-%m-%dT%H:%M}:00.000Z"
    return ActionResult({"Return": True})


def _patch_change(action: str, change: Callable[[Any, Any], Any]) -> None:
    """Implements an action that changes an own AMI and returns the result of `change`, or True."""

    def respond(self: Any) -> ActionResult:
        return ActionResult({"Return": change(self, find_own_image(self)) or True})

    patch(EC2Response, action)(respond)


def _remove_deprecation(_: Any, image: Any) -> None:
    image.deprecation_time = None


def _disable_image(_: Any, image: Any) -> None:
    if image.state not in ("available", "disabled"):
        text = f"The image '{image.id}' can't be disabled while it is {image.state}"
        raise client_error("InvalidAMIID.Unavailable", text)
    image.disabled = True
    image.launch_permissions.clear()


def _enable_image(_: Any, image: Any) -> None:
    image.disabled = False


def _enable_protection(response: Any, image: Any) -> str:
    with_cooldown = response._get_param("WithCooldown")
    image.deregistration_protection = "enabled-with-cooldown" if with_cooldown else "enabled"
    return str(image.deregistration_protection)


def _disable_protection(_: Any, image: Any) -> str:
    if image.deregistration_protection == "enabled-with-cooldown":
        image.protected_until = datetime.now(UTC).replace(tzinfo=None) + _COOLDOWN
    image.deregistration_protection = "disabled"
    return "disabled"


_patch_change("disable_image_deprecation", _remove_deprecation)
_patch_change("disable_image", _disable_image)
_patch_change("enable_image", _enable_image)
_patch_change("enable_image_deregistration_protection", _enable_protection)
_patch_change("disable_image_deregistration_protection", _disable_protection)


@patch(EC2Response)
def describe_image_attribute(self: Any) -> ActionResult:
    """Implements DescribeImageAttribute for the owner."""
    image, attribute = find_own_image(self), self._get_param("Attribute")
    if attribute == "launchPermission":
        permissions = image.launch_permissions
        return ActionResult({"ImageId": image.id, "LaunchPermissions": permissions})
    if attribute not in _ATTRIBUTES:
        text = f"The sandbox doesn't keep the attribute {attribute}"
        raise client_error("InvalidRequest", text)
    member = attribute[0].upper() + attribute[1:]
    value = getattr(image, _ATTRIBUTES[attribute])
    return ActionResult({"ImageId": image.id, member: {"Value": value}})


_moto_modify_image_attribute = EC2Response.modify_image_attribute
_ORGANIZATIONS = r"arn:aws[a-z-]*:organizations::\d{12}"
_ID = "o-[a-z0-9]{10,32}"
_ORGANIZATION_ARNS = {
    "OrganizationArn": f"{_ORGANIZATIONS}:organization/{_ID}",
    "OrganizationalUnitArn": f"{_ORGANIZATIONS}:ou/{_ID}/ou-[a-z0-9]{{4,32}}-[a-z0-9]{{8,32}}",
}


def _check_organization(permission: dict[str, str]) -> None:
    for member, pattern in _ORGANIZATION_ARNS.items():
        arn = permission.get(member)
        if arn is not None and not re.fullmatch(pattern, arn):
            name = member[0].lower() + member[1:]
            text = f'Invalid attribute item value "{arn}" for {name} item type.'
            raise client_error("InvalidAMIAttributeItemValue", text)


@patch(EC2Response)
def modify_image_attribute(self: Any) -> ActionResult:
    """Implements ModifyImageAttribute; moto changes the launch permissions."""
    image, attribute = find_own_image(self), self._get_param("Attribute")
    for member, name in (("Description", "description"), ("ImdsSupport", "imds_support")):
        value = self._get_param(f"{member}.Value")
        if value is None and attribute == member[0].lower() + member[1:]:
            value = self._get_param("Value")
        if value is not None:
            setattr(image, name, value)
            return EmptyResult()
    if image.disabled:
        text = f"The image {image.id} is disabled: enable it before sharing it"
        raise client_error("InvalidAMIID.Unavailable", text)
    if self._get_param("LaunchPermission.Add") or self._get_param("OperationType") == "add":
        text = "Snapshots encrypted with the AWS Managed CMK can't be shared"
        check_shareable(image.ebs_snapshot, "InvalidParameter", text)
    for member in ("LaunchPermission.Add", "LaunchPermission.Remove"):
        for permission in self._get_param(member, []):
            _check_organization(permission)
    existing = list(image.launch_permissions)
    result = _moto_modify_image_attribute(self)
    for permission in image.launch_permissions:
        if permission not in existing:
            target = next(iter(permission.values()), "")
            current_state().conditions.visibility.note_permission(image.id, target)
    return result
