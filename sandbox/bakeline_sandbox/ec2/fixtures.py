"""Implements control endpoints for states that tests cannot reach through the EC2 API.

Examples are past dates, slow and failing operations, and large numbers of AMIs.

Each endpoint is `POST /_bakeline/control/<name>` with a JSON body. Times are ISO 8601 in UTC.
`?` marks optional members. `region` and `account` limit the search for an ID.

    backdate    {"image": ID | "id": ID or key name, "days": n, "region"?, "account"?}
                moves all dates of a resource n days into the past
    launched    {"image": ID, "time": "2026-01-31T12:00:00Z" or null}
                sets LastLaunchedTime of an AMI
    copies      {"seconds"?: 0, "fail"?: reason, "times"?: 1, "region"?: destination,
                "imds"?: false}
                sets duration and result of the next CopyImage calls; `imds: false` makes the copy
                lose ImdsSupport, and `times: 0` removes all plans
    snapshots   {"code": "internal-error", "id"?: snapshot or AMI, "times"?: 1}
                makes the next snapshot deletions by DeregisterImage fail with this code
    forget      {}
                removes terminated instances from all lists, as EC2 does within an hour
    parameters  {"seconds": n}
                delays writes of SSM parameters of type aws:ec2:image; reset sets 0
    images      [{"name": ..., "id"?, "region"?, "account"?, "created"?, "launched"?, "deprecated"?,
                "state"?: available, disabled, pending or failed, "shared"?: [accounts or "all"],
                "protection"?, "architecture"?, "description"?, "source"?: "region:ami",
                "tags"?: {}, "snapshot_tags"?: {}, "kms_key"?: "aws/ebs" or a key of the account}]
                creates AMIs in this order, visible at once, with the content of a vendor AMI
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.utils import random_ami_id, random_snapshot_id

from ..conditions.encryption import AWS_MANAGED
from . import encryption, text_validation, vendor_images
from .images import Image, Snapshot
from .instance import ROOT_GIB
from .paging import format_time
from .state import current_state, iter_backends, iter_instances

DEFAULT_ACCOUNT = "123456789012"  # of moto
DEFAULT_REGION = "eu-central-1"  # of the environment for clients
DATE_ATTRIBUTES = (
    "creation_date create_time start_time launch_time deprecation_time last_launched_time "
    "protected_until"
).split()
RESOURCE_KINDS = ("amis", "snapshots", "volumes", "key_pairs", "launch_templates")
STATES = ("available", "disabled", "pending", "failed")
NEVER = 1e9  # seconds


def backdate_resource(body: dict[str, Any]) -> dict[str, Any]:
    """Moves all dates of a resource into the past, for an AMI also those of its snapshot."""
    with current_state().lock:
        resource, age = _find_resource(body), timedelta(days=float(body["days"]))
        for item in (resource, getattr(resource, "ebs_snapshot", None)):
            for name in DATE_ATTRIBUTES:
                value = getattr(item, name, None)
                if isinstance(value, str):
                    setattr(item, name, format_time(_parse_time(value) - age))
                elif value is not None:
                    setattr(item, name, value - age)
        dates = {name: getattr(resource, name, None) for name in DATE_ATTRIBUTES}
        return {
            name: value if isinstance(value, str) else format_time(value)
            for name, value in dates.items()
            if value
        }


def set_last_launched_time(body: dict[str, Any]) -> dict[str, Any]:
    """Sets or removes the time of an AMI's last launch."""
    with current_state().lock:
        image, moment = _find_resource(body), body["time"]
        image.last_launched_time = format_time(_parse_time(moment)) if moment else None
        return {"launched": image.last_launched_time}


def plan_copies(body: dict[str, Any]) -> dict[str, Any]:
    """Plans duration and result of the next CopyImage calls. `times: 0` removes all plans."""
    with current_state().lock:
        if body.get("times") == 0:
            current_state().copy_plans.clear()
        plan = {
            "seconds": float(body.get("seconds", 0)),
            "fail": body.get("fail"),
            "region": body.get("region"),
            "imds": bool(body.get("imds", True)),
        }
        current_state().copy_plans += [plan] * int(body.get("times", 1))
        return {"copies": len(current_state().copy_plans)}


def plan_failing_deletions(body: dict[str, Any]) -> dict[str, Any]:
    """Plans failures of the next snapshot deletions by DeregisterImage."""
    with current_state().lock:
        plan = (body.get("id"), str(body["code"]))
        current_state().failing_deletions += [plan] * int(body.get("times", 1))
        return {"snapshots": len(current_state().failing_deletions)}


def delay_parameters(body: dict[str, Any]) -> dict[str, Any]:
    """Delays writes of SSM parameters of type aws:ec2:image."""
    current_state().parameter_delay = float(body["seconds"])
    return {"seconds": current_state().parameter_delay}


def forget_terminated_instances(_: dict[str, Any]) -> dict[str, Any]:
    """Removes terminated instances from all lists."""
    with current_state().lock:
        forgotten = []
        for ec2 in iter_backends():
            for name, reservation in list(ec2.reservations.items()):
                if all(instance.state == "terminated" for instance in reservation.instances):
                    del ec2.reservations[name]
                    forgotten += [instance.id for instance in reservation.instances]
        return {"forgotten": forgotten}


def create_images(body: list[dict[str, Any]]) -> dict[str, Any]:
    """Creates AMIs after validating all of them; they boot the vendor's first release."""
    for entry in body:
        if entry.get("state", "available") not in STATES or not entry.get("name"):
            states = ", ".join(STATES)
            raise ValueError(f"an image needs a name, and a state of {states}: {entry}")
        description = {"Description": entry.get("description")}
        text_validation.validate_texts("RegisterImage", description)
    with current_state().lock:
        existing = {image_id for ec2 in iter_backends() for image_id in ec2.amis}
        if duplicates := existing & {str(entry.get("id")) for entry in body}:
            raise ValueError(f"there is an image {', '.join(sorted(duplicates))} already")
        return {"images": [_create_image(entry) for entry in body]}


ENDPOINTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "backdate": backdate_resource,
    "launched": set_last_launched_time,
    "copies": plan_copies,
    "snapshots": plan_failing_deletions,
    "parameters": delay_parameters,
    "forget": forget_terminated_instances,
    "images": create_images,
}


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)


def _parse_optional_time(text: str | None) -> str | None:
    return format_time(_parse_time(text)) if text else None


def _find_resource(body: dict[str, Any]) -> Any:
    """Returns the resource with the ID or key name in `image` or `id`."""
    name, account = body.get("image") or body["id"], body.get("account")
    for ec2 in iter_backends(body.get("region")):
        if account in (None, ec2.account_id):
            for kind in RESOURCE_KINDS:
                for resource in getattr(ec2, kind).values():
                    if name in (resource.id, getattr(resource, "key_name", None)):
                        return resource
    for instance in iter_instances():
        if instance.id == name:
            return instance
    raise ValueError(f"there is no {name}")


def _create_image(entry: dict[str, Any]) -> str:
    account, region = entry.get("account", DEFAULT_ACCOUNT), entry.get("region", DEFAULT_REGION)
    ec2 = ec2_backends[account][region]
    image_id, state = entry.get("id") or random_ami_id(), entry.get("state", "available")
    created = entry.get("created")
    creation_date = _parse_time(created) if created else current_state().next_timestamp()
    snapshot = _create_snapshot(ec2, image_id, state)
    if key := entry.get("kms_key"):
        name = f"alias/{key}" if key == AWS_MANAGED else key
        snapshot.encrypted, snapshot.kms_key_id = True, encryption.require_key(ec2, name)
    snapshot.start_time = creation_date
    source_region, _, source_image = str(entry.get("source") or "").partition(":")
    image = Image(
        ec2,
        image_id,
        snapshot,
        name=entry["name"],
        creation_date=creation_date,
        description=entry.get("description"),
        architecture=entry.get("architecture", vendor_images.EC2_ARCHITECTURE),
        disabled=state == "disabled",
        last_launched_time=_parse_optional_time(entry.get("launched")),
        deprecation_time=_parse_optional_time(entry.get("deprecated")),
        deregistration_protection=entry.get("protection", "disabled"),
        source_image_id=source_image or None,
        source_image_region=source_region or None,
    )
    for target in entry.get("shared", []):
        permission = {"Group": "all"} if target == "all" else {"UserId": str(target)}
        image.launch_permissions.append(permission)
    image.add_tags(entry.get("tags", {}))
    snapshot.add_tags(entry.get("snapshot_tags", {}))
    current_state().conditions.visibility.settle_tags(ec2, [image_id, snapshot.id])
    return image_id


def _create_snapshot(ec2: Any, image_id: str, state: str) -> Snapshot:
    volume = SimpleNamespace(id="vol-ffffffff", size=ROOT_GIB)
    description = f"Created by the sandbox for {image_id}"
    snapshot = Snapshot(ec2, random_snapshot_id(), volume, description)
    snapshot.layers = (vendor_images.RELEASES[0],)
    snapshot.ready_at = time.monotonic() + NEVER if state == "pending" else 0.0
    snapshot.error = "made failed by the sandbox" if state == "failed" else None
    return snapshot
