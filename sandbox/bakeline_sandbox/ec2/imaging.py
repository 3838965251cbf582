"""CreateImage, CopyImage, an AMI's attributes and everything that ends it or hides it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.responses import EC2Response
from moto.ec2.utils import random_ami_id, random_snapshot_id
from moto.kms.models import kms_backends

from .images import VENDOR, Image, Snapshot, available, own, shared
from .instances import once
from .world import LOG, here, on, refuse

NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
RULE = "3 to 128 characters: letters, digits, spaces and ()[]./-'@_"
KEPT = ("description", "architecture", "root_device_name", "imds_support", "boot_mode")  # by a copy
ATTRIBUTES = {
    "description": "description",
    "lastLaunchedTime": "last_launched_time",
    "deregistrationProtection": "deregistration_protection",
    "bootMode": "boot_mode",
    "imdsSupport": "imds_support",
    "sriovNetSupport": "sriov",
}


def _check_name(ec2: Any, name: str | None) -> None:
    if not NAME.fullmatch(name or ""):
        raise refuse("InvalidAMIName.Malformed", f"AMI names must have {RULE}")
    if other := next((image for image in ec2.amis.values() if image.name == name), None):
        raise refuse("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.id}")


def _register(self: Any, disk: Any, note: str, encrypted: bool, key: str | None, **fields: Any) -> Image:
    tags = self._parse_tag_specification()
    if wrong := set(tags) - {"image", "snapshot"}:
        raise refuse("InvalidParameterValue", f"'{wrong.pop()}' is not a taggable resource type for this operation.")
    snapshot = Snapshot(self.ec2_backend, random_snapshot_id(), disk, note, encrypted, key)
    image = Image(self.ec2_backend, random_ami_id(), snapshot, **fields)
    image.add_tags(tags.get("image", {}))
    snapshot.add_tags(tags.get("snapshot", {}))
    return image


@on(EC2Response)
def create_image(self: Any) -> ActionResult:
    """CreateImage: the AMI is pending until the instance's disk is frozen."""
    name, ec2 = self._get_param("Name"), self.ec2_backend
    _check_name(ec2, name)
    instance = ec2.get_instance(self._get_param("InstanceId"))
    if instance.state not in ("running", "stopped"):
        raise refuse(
            "IncorrectInstanceState", f"The instance '{instance.id}' is {instance.state}, not running or stopped"
        )
    if self._get_param("NoReboot") and instance.state == "running":
        text = (
            "NoReboot=true is refused: a disk in use can't be frozen whole. Stop the instance first, or leave it out."
        )
        raise refuse("UnsupportedOperation", text)
    self.error_on_dryrun()
    root = ec2.volumes[instance.block_device_mapping[instance.root_device_name].volume_id]
    made = {"name": name, "description": self._get_param("Description"), "architecture": instance.architecture}
    made |= {
        "source_instance_id": instance.id,
        "source_image_id": instance.image_id,
        "source_image_region": self.region,
    }
    note, root_name = f"Created by CreateImage({instance.id})", instance.root_device_name
    image = _register(self, root, note, root.encrypted, root.kms_key_id, root_device_name=root_name, **made)
    image.ebs_snapshot.description += f" for {image.id}"
    here().submit(instance.id, lambda: _freeze(instance, image.ebs_snapshot))
    return ActionResult({"ImageId": image.id})


def _freeze(instance: Any, snapshot: Snapshot) -> None:
    try:
        snapshot.layers = instance.freeze(snapshot.id)
        snapshot.ready_at = time.monotonic() + here().pending_seconds
    except Exception as error:
        LOG.exception("%s: freeze failed", instance.id)
        snapshot.error = f"freezing the disk of {instance.id} failed: {error}"
    here().collect()


@on(EC2Response)
def copy_image(self: Any) -> ActionResult:
    """CopyImage: the copy stands on the same layers."""
    return once(self, lambda: _copy_image(self))


def _copy_image(self: Any) -> ActionResult:
    name, region, account = self._get_param("Name"), self._get_param("SourceRegion"), self.current_account
    if region not in ec2_backends[account]:
        raise refuse("InvalidParameterValue", f"Invalid source region: {region}")
    from_ec2 = ec2_backends[account][region]
    source = available(from_ec2, self._get_param("SourceImageId"))
    disk = source.ebs_snapshot
    if source.owner_id not in (account, VENDOR) and not shared(disk, account):
        text = f"You do not have permission to access the storage of this ami: share {disk.id} with {account}"
        raise refuse("InvalidRequest", text)
    _check_name(self.ec2_backend, name)
    self.error_on_dryrun()
    key = self._get_param("KmsKeyId")
    encrypted = bool(self._get_param("Encrypted") or key or disk.encrypted)
    ec2, description = self.ec2_backend, self._get_param("Description")
    if encrypted and not key:
        key = ec2.default_kms_key_id or ec2._create_default_encryption_key()
    made = {member: getattr(source, member) for member in KEPT}
    made |= {"name": name, "source_image_id": source.id, "source_image_region": region}
    made |= {} if description is None else {"description": description}
    note = f"Copied for DestinationAmi {{}} from SourceAmi {source.id} for SourceSnapshot {disk.id}."
    image = _register(self, disk.volume, note, encrypted, key, **made)
    copied = image.ebs_snapshot
    copied.description = note.format(image.id)
    plan = next((plan for plan in here().copies if plan["region"] in (None, self.region)), None)
    seconds = plan["seconds"] if plan else here().pending_seconds
    copied.layers, copied.ready_at = disk.layers, time.monotonic() + seconds
    if plan:
        here().copies.remove(plan)
        copied.error, copied.fails_at = plan["fail"], copied.ready_at
    try:
        if key:
            kms_backends[account][self.region].describe_key(key)
    except Exception:  # EC2 finds a bad key only after it has answered: the copy fails, the call doesn't
        copied.fails_at, copied.error = 0.0, f"The KMS key {key} does not exist in {self.region} or can't be used"
    if self._get_param("CopyImageTags"):
        tags = {tag["key"]: tag["value"] for tag in from_ec2.describe_tags({"resource-id": [source.id]})}
        image.add_tags({key: tags[key] for key in tags.keys() - {tag["key"] for tag in image.get_tags()}})
    return ActionResult({"ImageId": image.id})


@on(EC2Response)
def deregister_image(self: Any) -> ActionResult:
    """DeregisterImage, with its snapshots when asked."""
    image, ec2 = own(self), self.ec2_backend
    now = datetime.now(UTC).replace(tzinfo=None)
    if image.deregistration_protection != "disabled" or (image.protected_until or now) > now:
        text = f"{image.id} has deregistration protection, or had it with cooldown less than 24 hours ago"
        raise refuse("OperationNotPermitted", text)
    del ec2.amis[image.id]
    ec2.deleted_amis.append(image.id)
    ec2.tags.pop(image.id, None)
    if not self._get_param("DeleteAssociatedSnapshots"):
        return ActionResult({"Return": True, "DeleteSnapshotResults": []})
    result = {"SnapshotId": image.ebs_snapshot.id, "ReturnCode": _delete_with(ec2, image)}
    return ActionResult({"Return": True, "DeleteSnapshotResults": [result]})


def _delete_with(ec2: Any, image: Image) -> str:
    """Delete the snapshot of an AMI that is gone; says how that went."""
    snapshot = image.ebs_snapshot.id
    if _user(ec2, snapshot):
        return "skipped"
    for plan in here().undeletable:
        if plan[0] in (None, snapshot, image.id):
            here().undeletable.remove(plan)
            return plan[1]
    if snapshot in ec2.snapshots:
        ec2.delete_snapshot(snapshot)
    return "success"


def _user(ec2: Any, snapshot_id: str) -> str | None:
    return next((image.id for image in ec2.amis.values() if image.ebs_snapshot.id == snapshot_id), None)


_delete = EC2Backend.delete_snapshot


@on(EC2Backend)
def delete_snapshot(self: Any, snapshot_id: str) -> Any:
    """EC2Backend.delete_snapshot: the content goes when nothing stands on it."""
    if user := _user(self, snapshot_id):
        raise refuse("InvalidSnapshot.InUse", f"The snapshot {snapshot_id} is currently in use by {user}")
    gone = _delete(self, snapshot_id)
    self.tags.pop(snapshot_id, None)
    here().collect_soon()
    return gone


@on(EC2Response)
def enable_image_deprecation(self: Any) -> ActionResult:
    """EnableImageDeprecation: to the minute, in the future, ten years at most."""
    image, at, now = own(self), self._get_param("DeprecateAt"), datetime.now(UTC)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    last = image.creation_date.replace(tzinfo=UTC) + timedelta(days=731) if image.is_public else now + timedelta(3653)
    if not now - timedelta(minutes=1) <= at <= last:
        text = f"DeprecateAt must lie in the future and within ten years, two for a public AMI: {at:%FT%TZ}"
        raise refuse("InvalidParameterValue", text)
    image.deprecation_time = f"{at + timedelta(seconds=30):%Y-%m-%dT%H:%M}:00.000Z"
    return ActionResult({"Return": True})


def _disable(self: Any, image: Any) -> None:
    if image.state not in ("available", "disabled"):
        raise refuse("InvalidAMIID.Unavailable", f"The image '{image.id}' can't be disabled while it is {image.state}")
    image.disabled = True
    image.launch_permissions.clear()


def _protect(self: Any, image: Any) -> str:
    image.deregistration_protection = "enabled-with-cooldown" if self._get_param("WithCooldown") else "enabled"
    return str(image.deregistration_protection)


def _setter(action: str, change: Callable[[Any, Any], Any]) -> None:
    on(EC2Response, action)(lambda self: ActionResult({"Return": change(self, own(self)) or True}))


def _unprotect(_: Any, image: Any) -> str:
    if image.deregistration_protection == "enabled-with-cooldown":
        image.protected_until = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=24)
    image.deregistration_protection = "disabled"
    return "disabled"


_setter("disable_image_deprecation", lambda _, image: setattr(image, "deprecation_time", None))
_setter("disable_image", _disable)
_setter("enable_image", lambda _, image: setattr(image, "disabled", False))
_setter("enable_image_deregistration_protection", _protect)
_setter("disable_image_deregistration_protection", _unprotect)


@on(EC2Response)
def describe_image_attribute(self: Any) -> ActionResult:
    """DescribeImageAttribute, for the owner."""
    image, attribute = own(self), self._get_param("Attribute")
    if attribute == "launchPermission":
        return ActionResult({"ImageId": image.id, "LaunchPermissions": image.launch_permissions})
    if attribute not in ATTRIBUTES:
        raise refuse("InvalidRequest", f"The sandbox doesn't keep the attribute {attribute}")
    member = attribute[0].upper() + attribute[1:]
    return ActionResult({"ImageId": image.id, member: {"Value": getattr(image, ATTRIBUTES[attribute])}})


_modify = EC2Response.modify_image_attribute


@on(EC2Response)
def modify_image_attribute(self: Any) -> ActionResult:
    """ModifyImageAttribute: description and IMDS support here, launch permissions by moto."""
    image, attribute = own(self), self._get_param("Attribute")
    for member, name in (("Description", "description"), ("ImdsSupport", "imds_support")):
        value = self._get_param(f"{member}.Value")
        if value is None and attribute == member[0].lower() + member[1:]:
            value = self._get_param("Value")
        if value is not None:
            setattr(image, name, value)
            return EmptyResult()
    if image.disabled:
        raise refuse("InvalidAMIID.Unavailable", f"The image {image.id} is disabled: enable it before sharing it")
    return _modify(self)


@on(EC2Response)
def register_image(self: Any) -> ActionResult:
    """RegisterImage: of one snapshot of the account's own, which stands under any number of AMIs then."""
    name, ec2 = self._get_param("Name"), self.ec2_backend
    root, mappings = (
        self._get_param("RootDeviceName", Image.root_device_name),
        self._get_param("BlockDeviceMappings", []),
    )
    disks = {one.get("DeviceName"): (one.get("Ebs") or {}).get("SnapshotId") for one in mappings}
    if list(disks) != [root] or not disks[root]:
        raise refuse("UnsupportedOperation", f"The sandbox registers an AMI of one snapshot, mapped to {root}.")
    _check_name(ec2, name)
    snapshot = ec2.snapshots.get(disks[root])
    if not getattr(snapshot, "layers", ()) or snapshot.status != "completed":
        raise refuse("InvalidSnapshot.NotFound", f"The snapshot '{disks[root]}' does not exist, or has no content")
    tags = self._parse_tag_specification()
    self.error_on_dryrun()
    kept = {"architecture": self._get_param("Architecture", "i386"), "description": self._get_param("Description")}
    image = Image(ec2, random_ami_id(), snapshot, name=name, root_device_name=root, **kept)
    image.add_tags(tags.get("image", {}))
    return ActionResult({"ImageId": image.id})
