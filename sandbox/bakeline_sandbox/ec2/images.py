"""AMIs and their snapshots: what they are, who sees them, and the calls that describe them."""

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

from . import wire
from .paging import iso, page, select
from .world import backends, here, on, refuse

VENDOR = "136693071363"  # Debian's own account
DISK = "block-device-mapping"
IMAGE_FILTERS = (
    "name state owner-id architecture root-device-type root-device-name virtualization-type creation-date image-id "
    "source-image-id source-image-region source-instance-id hypervisor image-type description boot-mode ena-support "
    "owner-alias kernel-id platform imds-support deprecation-time is-public "
    f"{DISK}.snapshot-id {DISK}.device-name {DISK}.volume-size {DISK}.volume-type {DISK}.encrypted"
).split()
SNAPSHOT_FILTERS = "snapshot-id volume-id volume-size owner-id status progress description encrypted start-time".split()


class Snapshot(ebs.Snapshot):
    """A snapshot whose content is a list of layers."""

    layers: tuple[str, ...] = ()
    ready_at = math.inf
    error: str | None = None
    fails_at = 0.0  # an error before then is not known yet

    @property
    def failure(self) -> str | None:
        return self.error if time.monotonic() >= self.fails_at else None

    @property
    def status(self) -> str:
        if self.failure:
            return "error"
        return "completed" if time.monotonic() >= self.ready_at else "pending"

    @status.setter
    def status(self, _: str) -> None:
        """Moto's constructor sets it; the content knows better."""

    @property
    def state(self) -> str:
        return self.status

    @property
    def progress(self) -> str:
        return "100%" if self.status == "completed" else "0%"


class Image(amis.Ami):
    """An AMI whose state follows its content."""

    kernel_id = platform = owner_alias = description = source_instance_id = source_image_id = source_image_region = None
    image_type, virtualization_type, hypervisor, sriov, ena_support = "machine", "hvm", "xen", "simple", True
    root_device_name, root_device_type, boot_mode = "/dev/xvda", "ebs", "uefi-preferred"
    platform_details, usage_operation = "Linux/UNIX", "RunInstances"
    deprecation_time = last_launched_time = imds_support = None
    deregistration_protection, disabled = "disabled", False
    protected_until: datetime | None = None
    public = amis.Ami.is_public

    def __init__(self, ec2_backend: Any, image_id: str, snapshot: Snapshot, **fields: Any) -> None:
        self.ec2_backend, self.id, self.ebs_snapshot = ec2_backend, image_id, snapshot
        self.owner_id, self.creation_date = ec2_backend.account_id, here().stamp()
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
        behind = {"error": "failed", "pending": "pending"}.get(self.ebs_snapshot.status)
        return behind or ("disabled" if self.disabled else "available")

    @property
    def state_reason(self) -> dict[str, str] | None:
        error = self.ebs_snapshot.failure
        return {"Code": "Client.ImageCreationFailed", "Message": error} if error else None

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        disk = {name: getattr(self.ebs_snapshot, name) for name in ("snapshot_id", "volume_size", "encrypted")}
        shown = {"".join(map(str.title, name.split("_"))): value for name, value in disk.items()}
        more = {"VolumeType": "gp3", "DeleteOnTermination": True}
        return [{"DeviceName": self.root_device_name, "Ebs": shown | more}]


@on(core.TaggedEC2Resource)
def get_tags(self: Any) -> list[dict[str, str]]:
    """A resource's tags by its id; moto looks through the tags of all."""
    about = {"resource_id": self.id, "resource_type": EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id or ""), "")}
    return [{**about, "key": key, "value": value} for key, value in self.ec2_backend.tags.get(self.id, {}).items()]


def shared(item: Any, account: str) -> bool:
    """Whether an account may use another one's AMI or snapshot."""
    if isinstance(item, amis.Ami):
        return not item.disabled and (item.is_public or {"UserId": account} in item.launch_permissions)
    return bool({account, "all"} & (item.create_volume_permission_userids | item.create_volume_permission_groups))


def _find(ec2: Any, kind: str, ids: list[str], owners: list[str], filters: Any) -> list[Any]:
    """The AMIs or snapshots an account sees; others' come as views that carry this account's tags, as on EC2."""
    _ = ec2_backends[VENDOR][ec2.region_name]  # made on first use, with the vendor's AMIs in it
    found = list(getattr(ec2, kind).values())
    for other in backends(ec2.region_name):
        for item in getattr(other, kind).values() if other is not ec2 else ():
            if shared(item, ec2.account_id):
                view = copy.copy(item)
                view.ec2_backend, view.original = ec2, item
                found.append(view)
    code, word = {"amis": ("InvalidAMIID", "image id"), "snapshots": ("InvalidSnapshot", "snapshot")}[kind]
    if missing := sorted(set(ids) - {item.id for item in found}):
        wrong = not re.fullmatch(r"[a-z]+-[0-9a-f]{8,17}", missing[0])
        raise refuse(f"{code}.{'Malformed' if wrong else 'NotFound'}", f"The {word} '[{missing[0]}]' does not exist")
    wanted = {ec2.account_id if owner == "self" else owner for owner in owners}
    found = [item for item in found if item.id in ids] if ids else found
    found = [item for item in found if {item.owner_id, getattr(item, "owner_alias", None)} & wanted or not wanted]
    return select(found, filters, IMAGE_FILTERS if kind == "amis" else SNAPSHOT_FILTERS)


@on(EC2Backend, "describe_images")
def find_images(self: Any, ami_ids: Any = None, filters: Any = None, exec_users: Any = None, owners: Any = None) -> Any:
    """EC2Backend.describe_images: ids, owners, users and filters all narrow the answer."""
    found = _find(self, "amis", ami_ids or [], owners or [], filters)
    users = [
        {"Group": "all"} if u == "all" else {"UserId": self.account_id if u == "self" else u} for u in exec_users or []
    ]
    return [image for image in found if not users or any(user in image.launch_permissions for user in users)]


@on(EC2Response)
def describe_images(self: Any) -> ActionResult:
    """DescribeImages: in pages, hiding disabled AMIs, and deprecated ones of others, unless they are asked for."""
    self.error_on_dryrun()
    ids, owners = self._get_param("ImageIds", []), self._get_param("Owners", [])
    users = self._get_param("ExecutableUsers", [])
    found = self.ec2_backend.describe_images(ids, self._filters_from_querystring(), users, owners)
    if not self._get_param("IncludeDisabled"):
        found = [image for image in found if image.state != "disabled"]
    if not self._get_param("IncludeDeprecated") and not ids:
        account, now = self.current_account, iso(here().stamp())
        found = [i for i in found if i.owner_id == account or not i.deprecation_time or i.deprecation_time > now]
    shown, token = page(self, found, "creation_date", 1, bool(ids))
    return wire.Images(shown, token)


@on(EC2Response)
def describe_snapshots(self: Any) -> ActionResult:
    """DescribeSnapshots: with owners and in pages."""
    self.error_on_dryrun()
    ids, owners = self._get_param("SnapshotIds", []), self._get_param("OwnerIds", [])
    found = _find(self.ec2_backend, "snapshots", ids, owners, self._filters_from_querystring())
    shown, token = page(self, found, "start_time", 5, bool(ids))
    return ActionResult({"Snapshots": shown, "NextToken": token})


def available(ec2: Any, image_id: str) -> Any:
    """The AMI itself (never a view), if the account may use it and it is ready."""
    hidden = image_id not in ec2.amis and [i for other in backends(ec2.region_name) if (i := other.amis.get(image_id))]
    if hidden and not shared(hidden[0], ec2.account_id):
        raise refuse("AuthFailure", f"Not authorized for images: [{image_id}]")
    image = ec2.describe_images(ami_ids=[image_id])[0]
    if image.state != "available":
        raise refuse("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available: it is {image.state}")
    return getattr(image, "original", image)


def own(self: Any) -> Any:
    """The account's own AMI that a request names."""
    image = self.ec2_backend.describe_images(ami_ids=[self._get_param("ImageId")])[0]
    if image.owner_id != self.current_account:
        raise refuse("AuthFailure", f"Not authorized for image:{image.id}: it belongs to {image.owner_id}")
    self.error_on_dryrun()
    return image
