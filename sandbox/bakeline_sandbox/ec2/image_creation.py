"""Implements CreateImage, CopyImage and RegisterImage."""

from __future__ import annotations

import re
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterDependency
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response
from moto.ec2.utils import random_ami_id, random_snapshot_id

from . import encryption
from .client_tokens import run_idempotently
from .images import VENDOR_ACCOUNTS, Image, Snapshot, find_available_image, is_shared_with
from .state import LOG, client_error, current_state, patch

_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
_NAME_RULE = "3 to 128 characters: letters, digits, spaces and ()[]./-'@_"
# Uses of keys for which a caller of CopyImage needs permissions (Amazon EBS User Guide, "Copy a
# snapshot").
_SOURCE_KEY_USES = ("DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom")
_TARGET_KEY_USES = (
    *("DescribeKey", "CreateGrant", "Decrypt"),
    *("GenerateDataKeyWithoutPlaintext", "ReEncryptTo"),
)
_COPIED_ATTRIBUTES = ("description architecture root_device_name imds_support boot_mode").split()


def _check_name(ec2: Any, name: str | None) -> None:
    if not _NAME.fullmatch(name or ""):
        raise client_error("InvalidAMIName.Malformed", f"AMI names must have {_NAME_RULE}")
    for image in current_state().conditions.visibility.with_hidden(ec2.amis):
        if image.name == name:
            text = f"AMI name {name} is already in use by AMI {image.id}"
            raise client_error("InvalidAMIName.Duplicate", text)


def _register_image(
    response: Any,
    volume: Any,
    snapshot_description: str,
    encrypted: bool,
    kms_key_id: str | None,
    **fields: Any,
) -> Image:
    """Creates an AMI with a new snapshot, and the tags of the request."""
    tags = response._parse_tag_specification()
    if unknown := set(tags) - {"image", "snapshot"}:
        text = f"'{unknown.pop()}' is not a taggable resource type for this operation."
        raise client_error("InvalidParameterValue", text)
    ec2 = response.ec2_backend
    snapshot = Snapshot(
        ec2, random_snapshot_id(), volume, snapshot_description, encrypted, kms_key_id
    )
    image = Image(ec2, random_ami_id(), snapshot, **fields)
    image.add_tags(tags.get("image", {}))
    snapshot.add_tags(tags.get("snapshot", {}))
    return image


@patch(EC2Response)
def create_image(self: Any) -> ActionResult:
    """Implements CreateImage: the AMI is pending until the instance's disk is frozen."""
    name, ec2 = self._get_param("Name"), self.ec2_backend
    _check_name(ec2, name)
    instance = ec2.get_instance(self._get_param("InstanceId"))
    if instance.state not in ("running", "stopped"):
        text = f"The instance '{instance.id}' is {instance.state}, not running or stopped"
        raise client_error("IncorrectInstanceState", text)
    if self._get_param("NoReboot") and instance.state == "running":
        text = (
            "NoReboot=true is refused: a disk in use can't be frozen whole. "
            "Stop the instance first, or leave it out."
        )
        raise client_error("UnsupportedOperation", text)
    self.error_on_dryrun()
    mapping = instance.block_device_mapping[instance.root_device_name]
    volume = ec2.volumes[mapping.volume_id]
    image = _register_image(
        self,
        volume,
        f"Created by CreateImage({instance.id})",
        volume.encrypted,
        volume.kms_key_id,
        name=name,
        description=self._get_param("Description"),
        architecture=instance.architecture,
        root_device_name=instance.root_device_name,
        source_instance_id=instance.id,
        source_image_id=instance.image_id,
        source_image_region=self.region,
    )
    snapshot = image.ebs_snapshot
    snapshot.description += f" for {image.id}"
    current_state().enqueue(instance.id, lambda: _freeze_disk(instance, snapshot))
    return ActionResult({"ImageId": image.id})


def _freeze_disk(instance: Any, snapshot: Snapshot) -> None:
    try:
        snapshot.layers = instance.freeze_disk(snapshot.id)
        snapshot.ready_at = time.monotonic() + current_state().pending_seconds
    except Exception as error:
        LOG.exception("%s: cannot freeze the disk", instance.id)
        snapshot.error = f"freezing the disk of {instance.id} failed: {error}"
    current_state().delete_unused_layers()


@patch(EC2Response)
def copy_image(self: Any) -> ActionResult:
    """Implements CopyImage: the copy uses the same disk layers."""
    return run_idempotently(self, lambda: _copy_image(self))


def _copy_image(response: Any) -> ActionResult:
    ec2, name = response.ec2_backend, response._get_param("Name")
    source_ec2, source = _find_copy_source(response)
    _check_name(ec2, name)
    response.error_on_dryrun()
    _check_copy_limit(ec2)
    source_snapshot = source.ebs_snapshot
    key = response._get_param("KmsKeyId")
    encrypted = bool(response._get_param("Encrypted"))
    if key and not encrypted:
        raise InvalidParameterDependency("KmsKeyId", "Encrypted")
    encrypted = encrypted or source_snapshot.encrypted or encryption.is_enabled(ec2)
    if encrypted and not key:
        key = encryption.find_default_key(ec2)
    fields = {attribute: getattr(source, attribute) for attribute in _COPIED_ATTRIBUTES}
    fields |= {"name": name, "source_image_id": source.id, "is_copy": True}
    fields["source_image_region"] = source_ec2.region_name
    description = response._get_param("Description")
    if description is not None:
        fields["description"] = description
    volume = source_snapshot.volume
    image = _register_image(response, volume, "", encrypted, key, **fields)
    image.ebs_snapshot.description = (
        f"Copied for DestinationAmi {image.id} from SourceAmi {source.id} "
        f"for SourceSnapshot {source_snapshot.id}."
    )
    _schedule_copy(response, source_snapshot, image, key)
    if response._get_param("CopyImageTags"):
        _copy_tags(source_ec2, source, image)
    return ActionResult({"ImageId": image.id})


def _check_copy_limit(ec2: Any) -> None:
    """Fails if the account and Region have too many pending copies."""
    conditions = current_state().conditions
    limit = conditions.rates.copies
    images = conditions.visibility.with_hidden(ec2.amis) if limit else []
    pending = [image for image in images if image.is_copy and image.state == "pending"]
    if limit and len(pending) >= limit:
        text = (
            "Too many snapshot copies in progress. "
            f"The limit is {limit} for this destination region."
        )
        raise client_error("ResourceLimitExceeded", text)


def _find_copy_source(response: Any) -> tuple[Any, Any]:
    """Returns the backend of the source Region, and the AMI if the caller may copy it."""
    account, region = response.current_account, response._get_param("SourceRegion")
    if region not in ec2_backends[account]:
        raise client_error("InvalidParameterValue", f"Invalid source region: {region}")
    ec2 = ec2_backends[account][region]
    image = find_available_image(ec2, response._get_param("SourceImageId"))
    snapshot = image.ebs_snapshot
    is_own = image.owner_id in (account, *VENDOR_ACCOUNTS)
    visibility = current_state().conditions.visibility
    if not is_own and not visibility.is_permission_visible([image.id, snapshot.id], account):
        text = "You do not have permission to access the storage of this ami"
        raise client_error("InvalidRequest", text)
    if not is_own and not is_shared_with(snapshot, account):
        text = (
            "You do not have permission to access the storage of this ami: "
            f"share {snapshot.id} with {account}"
        )
        raise client_error("InvalidRequest", text)
    return ec2, image


def _schedule_copy(response: Any, source: Snapshot, image: Image, key: str | None) -> None:
    """Sets when the copy ends and whether it fails."""
    state, target = current_state(), image.ebs_snapshot
    plans = [plan for plan in state.copy_plans if plan["region"] in (None, response.region)]
    plan = plans[0] if plans else None
    seconds = plan["seconds"] if plan else state.pending_seconds
    target.layers, target.ready_at = source.layers, time.monotonic() + seconds
    if plan:
        state.copy_plans.remove(plan)
        target.error, target.fails_at = plan["fail"], target.ready_at
        image.imds_support = image.imds_support if plan["imds"] else None
    account, source_region = response.current_account, source.ec2_backend.region_name
    obstacle = encryption.find_obstacle(response.region, account, key) if key else None
    if obstacle is None and source.encrypted:
        obstacle = encryption.find_obstacle(source_region, account, source.kms_key_id or "")
    target_key = encryption.find_key(response.region, account, key) if key else None
    obstacle = (
        obstacle
        or encryption.find_denied_use(response, source.kms_key_id, _SOURCE_KEY_USES)
        or encryption.find_denied_use(response, target_key and target_key.arn, _TARGET_KEY_USES)
    )
    if obstacle:  # EC2 accepts the call, and the copy fails later
        target.error, target.fails_at = obstacle, target.ready_at
    elif target_key:
        target.kms_key_id = target_key.arn


def _copy_tags(source_ec2: Any, source: Any, image: Image) -> None:
    """Copies the tags of the source; tags of the request take precedence."""
    described = source_ec2.describe_tags({"resource-id": [source.id]})
    source_tags = {tag["key"]: tag["value"] for tag in described}
    own_keys = {tag["key"] for tag in image.get_tags()}
    image.add_tags({key: source_tags[key] for key in source_tags.keys() - own_keys})


@patch(EC2Response)
def register_image(self: Any) -> ActionResult:
    """Implements RegisterImage for one snapshot of the account, which several AMIs can use."""
    name, ec2 = self._get_param("Name"), self.ec2_backend
    root_device = self._get_param("RootDeviceName", Image.root_device_name)
    mappings = self._get_param("BlockDeviceMappings", [])
    snapshot_ids = {
        mapping.get("DeviceName"): (mapping.get("Ebs") or {}).get("SnapshotId")
        for mapping in mappings
    }
    if list(snapshot_ids) != [root_device] or not snapshot_ids[root_device]:
        text = f"The sandbox registers an AMI of one snapshot, mapped to {root_device}."
        raise client_error("UnsupportedOperation", text)
    _check_name(ec2, name)
    snapshot = ec2.snapshots.get(snapshot_ids[root_device])
    if not getattr(snapshot, "layers", ()) or snapshot.status != "completed":
        text = f"The snapshot '{snapshot_ids[root_device]}' does not exist, or has no content"
        raise client_error("InvalidSnapshot.NotFound", text)
    tags = self._parse_tag_specification()
    self.error_on_dryrun()
    image = Image(
        ec2,
        random_ami_id(),
        snapshot,
        name=name,
        root_device_name=root_device,
        architecture=self._get_param("Architecture", "i386"),
        description=self._get_param("Description"),
    )
    image.add_tags(tags.get("image", {}))
    return ActionResult({"ImageId": image.id})
