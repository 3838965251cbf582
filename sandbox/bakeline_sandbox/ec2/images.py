"""Models AMIs and snapshots, and implements the calls that describe them."""

from __future__ import annotations

import copy
import math
import re
import time
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend, amis, core, ec2_backends
from moto.ec2.models import elastic_block_store as ebs
from moto.ec2.responses import EC2Response
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from . import serialization
from .launch_limits import check_not_pending, pending_error
from .paging import filter_items, format_time, paginate
from .state import client_error, current_state, iter_backends, patch

VENDOR_ACCOUNT = "136693071363"  # Debian's
# Debian, Canonical, Amazon and Red Hat
VENDOR_ACCOUNTS = (VENDOR_ACCOUNT, "099720109477", "137112412989", "309956199498")
_MAPPING = "block-device-mapping"
IMAGE_FILTERS = (
    "name state owner-id architecture root-device-type root-device-name virtualization-type "
    "creation-date image-id source-image-id source-image-region source-instance-id hypervisor "
    "image-type description boot-mode ena-support owner-alias kernel-id platform imds-support "
    "deprecation-time is-public "
    f"{_MAPPING}.snapshot-id {_MAPPING}.device-name {_MAPPING}.volume-size "
    f"{_MAPPING}.volume-type {_MAPPING}.encrypted"
).split()
SNAPSHOT_FILTERS = (
    "snapshot-id volume-id volume-size owner-id status progress description encrypted start-time"
).split()
_FILTERS = {"amis": IMAGE_FILTERS, "snapshots": SNAPSHOT_FILTERS}
_NOT_FOUND_ERRORS = {
    "amis": ("InvalidAMIID", "image id"),
    "snapshots": ("InvalidSnapshot", "snapshot"),
}


class Snapshot(ebs.Snapshot):
    """Snapshot whose content is a list of disk layers."""

    layers: tuple[str, ...] = ()
    ready_at = math.inf
    error: str | None = None
    fails_at = 0.0  # the error is visible from this time on

    @property
    def failure(self) -> str | None:
        """Error message, or None before `fails_at`."""
        return self.error if time.monotonic() >= self.fails_at else None

    @property
    def status(self) -> str:
        """Status in the API: pending, completed or error."""
        if self.failure:
            return "error"
        return "completed" if time.monotonic() >= self.ready_at else "pending"

    @status.setter
    def status(self, _: str) -> None:
        """Ignores the value that moto's constructor sets."""

    @property
    def state(self) -> str:
        """Name of `status` in moto's templates."""
        return self.status

    @property
    def progress(self) -> str:
        """Progress in the API."""
        return "100%" if self.status == "completed" else "0%"


class Image(amis.Ami):
    """AMI whose state follows that of its snapshot."""

    kernel_id = platform = owner_alias = description = None
    source_instance_id = source_image_id = source_image_region = None
    image_type, virtualization_type, hypervisor = "machine", "hvm", "xen"
    sriov, ena_support = "simple", True
    root_device_name, root_device_type, boot_mode = "/dev/xvda", "ebs", "uefi-preferred"
    platform_details, usage_operation = "Linux/UNIX", "RunInstances"
    deprecation_time = last_launched_time = imds_support = None
    deregistration_protection, disabled = "disabled", False
    deregistered = is_copy = False
    kept_tags: list[dict[str, str]] | None = None  # of a deregistered AMI
    protected_until: datetime | None = None
    public = amis.Ami.is_public

    def __init__(self, ec2_backend: Any, image_id: str, snapshot: Snapshot, **fields: Any) -> None:
        self.ec2_backend, self.id, self.ebs_snapshot = ec2_backend, image_id, snapshot
        self.owner_id = ec2_backend.account_id
        self.creation_date = current_state().next_timestamp()
        self.launch_permissions: list[dict[str, str]] = []
        self.product_codes: set[str] = set()
        for name, value in fields.items():
            setattr(self, name, value)
        self.image_location = f"{self.owner_id}/{self.name}"
        snapshot.from_ami = image_id
        ec2_backend.snapshots[snapshot.id] = snapshot
        ec2_backend.amis[image_id] = self

    @property
    def state(self) -> str:
        """State in the API: pending, available, disabled, failed or deregistered."""
        if self.deregistered:
            return "deregistered"
        status = self.ebs_snapshot.status
        if status in ("error", "pending"):
            return "failed" if status == "error" else "pending"
        return "disabled" if self.disabled else "available"

    @property
    def state_reason(self) -> dict[str, str] | None:
        """Reason of a failure in the API."""
        error = self.ebs_snapshot.failure
        return {"Code": "Client.ImageCreationFailed", "Message": error} if error else None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """Mapping of the root device in the API."""
        snapshot = self.ebs_snapshot
        disk = {
            "SnapshotId": snapshot.snapshot_id,
            "VolumeSize": snapshot.volume_size,
            "Encrypted": snapshot.encrypted,
            "VolumeType": "gp3",
            "DeleteOnTermination": True,
        }
        return [{"DeviceName": self.root_device_name, "Ebs": disk}]


@patch(core.TaggedEC2Resource)
def get_tags(self: Any) -> list[dict[str, str]]:
    """Returns the tags of a resource by its ID; moto searches the tags of all resources."""
    if (kept := getattr(self, "kept_tags", None)) is not None:
        return list(kept)
    resource_type = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id or ""), "")
    resource = {"resource_id": self.id, "resource_type": resource_type}
    tags = self.ec2_backend.tags.get(self.id, {})
    return [{**resource, "key": key, "value": value} for key, value in tags.items()]


def is_shared_with(item: Any, account: str) -> bool:
    """Returns True if the account may use this AMI or snapshot of another account."""
    if isinstance(item, amis.Ami):
        targets = current_state().conditions.organizations.targets_of(account)
        is_target = any(target in item.launch_permissions for target in targets)
        return not item.disabled and (item.is_public or is_target)
    permissions = item.create_volume_permission_userids | item.create_volume_permission_groups
    return bool({account, "all"} & permissions)


def _find_visible(
    ec2: Any, kind: str, ids: list[str], owners: list[str], filters: Any, former: Any = ()
) -> list[Any]:
    """Returns the AMIs or snapshots that the account of this backend sees, and `former` ones."""
    items = [*getattr(ec2, kind).values(), *_shared_views(ec2, kind), *former]
    code, word = _NOT_FOUND_ERRORS[kind]
    if missing := sorted(set(ids) - {item.id for item in items}):
        is_well_formed = re.fullmatch(r"[a-z]+-[0-9a-f]{8,17}", missing[0])
        suffix = "NotFound" if is_well_formed else "Malformed"
        raise client_error(f"{code}.{suffix}", f"The {word} '[{missing[0]}]' does not exist")
    if ids:
        items = [item for item in items if item.id in ids]
    if owners:
        accounts = {ec2.account_id if owner == "self" else owner for owner in owners}
        items = [
            item for item in items if accounts & {item.owner_id, getattr(item, "owner_alias", None)}
        ]
    return filter_items(items, filters, _FILTERS[kind])


def _shared_views(ec2: Any, kind: str) -> list[Any]:
    """Returns copies of shared items of other accounts, with the tags of this account."""
    for account in VENDOR_ACCOUNTS:
        _ = ec2_backends[account][ec2.region_name]  # moto creates it and its AMIs on first use
    views, account = [], ec2.account_id
    conditions = current_state().conditions
    arns = conditions.organizations.members.get(account, [])
    for other in iter_backends(ec2.region_name):
        for item in getattr(other, kind).values() if other is not ec2 else ():
            is_shared = is_shared_with(item, account)
            if is_shared and conditions.visibility.is_permission_visible([item.id], account, arns):
                view = copy.copy(item)
                view.ec2_backend, view.original = ec2, item
                views.append(view)
    return views


@patch(EC2Backend, "describe_images")
def find_images(
    self: Any,
    ami_ids: Any = None,
    filters: Any = None,
    exec_users: Any = None,
    owners: Any = None,
    former: Any = (),
) -> Any:
    """Returns the images that match all of the given IDs, owners, users and filters."""
    images = _find_visible(self, "amis", ami_ids or [], owners or [], filters, former)
    if not exec_users:
        return images
    permissions = [
        {"Group": "all"}
        if user == "all"
        else {"UserId": self.account_id if user == "self" else user}
        for user in exec_users
    ]
    return [
        image
        for image in images
        if any(permission in image.launch_permissions for permission in permissions)
    ]


@patch(EC2Response)
def describe_images(self: Any) -> ActionResult:
    """Implements DescribeImages.

    Hides disabled AMIs, and deprecated AMIs of other accounts, unless the request includes them.
    """
    self.error_on_dryrun()
    ids, owners = self._get_param("ImageIds", []), self._get_param("Owners", [])
    users = self._get_param("ExecutableUsers", [])
    filters = self._filters_from_querystring()
    former = current_state().conditions.visibility.list_deregistered(self.ec2_backend)
    images = self.ec2_backend.describe_images(ids, filters, users, owners, former)
    if not self._get_param("IncludeDisabled"):
        images = [image for image in images if image.state != "disabled"]
    if not self._get_param("IncludeDeprecated") and not ids:
        account, now = self.current_account, format_time(current_state().next_timestamp())
        images = [
            image
            for image in images
            if image.owner_id == account
            or not image.deprecation_time
            or image.deprecation_time > now
        ]
    page, token = paginate(self, images, "creation_date", 1, bool(ids))
    return serialization.ImagesResult(page, token)


@patch(EC2Response)
def describe_snapshots(self: Any) -> ActionResult:
    """Implements DescribeSnapshots with owners and pages."""
    self.error_on_dryrun()
    ids, owners = self._get_param("SnapshotIds", []), self._get_param("OwnerIds", [])
    filters = self._filters_from_querystring()
    snapshots = _find_visible(self.ec2_backend, "snapshots", ids, owners, filters)
    page, token = paginate(self, snapshots, "start_time", 5, bool(ids))
    return ActionResult({"Snapshots": page, "NextToken": token})


def find_available_image(ec2: Any, image_id: str) -> Any:
    """Returns the AMI itself, not a view; fails unless it is available to this account."""
    if image_id not in ec2.amis:
        for other in iter_backends(ec2.region_name):
            image = other.amis.get(image_id)
            if image and not is_shared_with(image, ec2.account_id):
                raise client_error("AuthFailure", f"Not authorized for images: [{image_id}]")
    image = ec2.describe_images(ami_ids=[image_id])[0]
    if image.state == "pending":
        raise pending_error(image_id)
    if image.state != "available":
        text = f"The image ID '{image_id}' is not available: it is {image.state}"
        raise client_error("InvalidAMIID.Unavailable", text)
    return getattr(image, "original", image)


def find_own_image(response: Any) -> Any:
    """Returns the AMI that a request names; fails if it belongs to another account."""
    image = response.ec2_backend.describe_images(ami_ids=[response._get_param("ImageId")])[0]
    if image.owner_id != response.current_account:
        text = f"Not authorized for image:{image.id}: it belongs to {image.owner_id}"
        raise client_error("AuthFailure", text)
    check_not_pending(image, response._get_action())
    response.error_on_dryrun()
    return image
