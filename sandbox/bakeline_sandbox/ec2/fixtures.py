"""What tests make happen that nobody can ask EC2 for: time that passed, slow and failing work, many AMIs.

All are `POST /_bakeline/control/<name>` with a JSON body; times are ISO 8601, in UTC. `region` and `account` narrow a search.

    backdate    {"image": id | "id": id or key name, "days": n, "region"?, "account"?}: as if all its dates lay n days earlier
    launched    {"image": id, "time": "2026-01-31T12:00:00Z" or null}: its LastLaunchedTime
    copies      {"seconds": n, "fail"?: reason, "times"?: 1, "region"?: destination}: the next CopyImage calls
    snapshots   {"code": "internal-error", "id"?: snapshot or AMI, "times"?: 1}: how DeregisterImage fails to delete
    forget      {}: drop the terminated instances from every list, as EC2 does within the hour
    parameters  {"seconds": n}: how late a good value of type aws:ec2:image is written; reset sets 0
    images      [{"name": ..., "id"?, "region"?, "account"?, "created"?, "launched"?, "deprecated"?, "state"?: available,
                disabled, pending or failed, "shared"?: [accounts or "all"], "protection"?, "architecture"?, "description"?,
                "source"?: "region:ami", "tags"?: {}, "snapshot_tags"?: {}}]: AMIs with the vendor's content, made in order
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.utils import random_ami_id, random_snapshot_id

from . import texts, vendor
from .images import Image, Snapshot
from .lifecycle import ROOT_GIB
from .paging import iso
from .world import backends, here, instances

OWN_ACCOUNT, REGION = "123456789012", "eu-central-1"  # moto's default account; the Region of the clients' environment
DATES = "creation_date create_time start_time launch_time deprecation_time last_launched_time protected_until".split()
STATES = ("available", "disabled", "pending", "failed")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)


def _named(asked: dict[str, Any]) -> Any:
    name, region, account = asked.get("image") or asked["id"], asked.get("region"), asked.get("account")
    for ec2 in backends(region):
        if account in (None, ec2.account_id):
            for kind in ("amis", "snapshots", "volumes", "key_pairs", "launch_templates"):
                for found in getattr(ec2, kind).values():
                    if name in (found.id, getattr(found, "key_name", None)):
                        return found
    for instance in instances():
        if instance.id == name:
            return instance
    raise ValueError(f"there is no {name}")


def post_backdate(asked: dict[str, Any]) -> dict[str, Any]:
    """Move every date of a thing into the past, and of an AMI its snapshot's too."""
    with here().lock:
        found, by = _named(asked), timedelta(days=float(asked["days"]))
        for thing in (found, getattr(found, "ebs_snapshot", None)):
            for name in DATES:
                value = getattr(thing, name, None)
                if value is not None:
                    setattr(thing, name, iso(_moment(value) - by) if isinstance(value, str) else value - by)
        dates = {name: getattr(found, name, None) for name in DATES}
        return {name: value if isinstance(value, str) else iso(value) for name, value in dates.items() if value}


def post_launched(asked: dict[str, Any]) -> dict[str, Any]:
    """When an AMI was last launched."""
    with here().lock:
        image = _named(asked)
        image.last_launched_time = iso(_moment(asked["time"])) if asked["time"] else None
        return {"launched": image.last_launched_time}


def post_copies(asked: dict[str, Any]) -> dict[str, Any]:
    """How the next copies go."""
    with here().lock:
        plan = {"seconds": float(asked.get("seconds", 0)), "fail": asked.get("fail"), "region": asked.get("region")}
        here().copies += [plan] * int(asked.get("times", 1))
        return {"copies": len(here().copies)}


def post_snapshots(asked: dict[str, Any]) -> dict[str, Any]:
    """How the next deletions by DeregisterImage fail."""
    with here().lock:
        here().undeletable += [(asked.get("id"), str(asked["code"]))] * int(asked.get("times", 1))
        return {"snapshots": len(here().undeletable)}


def post_parameters(asked: dict[str, Any]) -> dict[str, Any]:
    """How late SSM writes."""
    here().parameter_seconds = float(asked["seconds"])
    return {"seconds": here().parameter_seconds}


def post_forget(_: dict[str, Any]) -> dict[str, Any]:
    """Terminated instances are seen no more."""
    with here().lock:
        gone = []
        for ec2 in backends():
            for name, reservation in list(ec2.reservations.items()):
                if all(instance.state == "terminated" for instance in reservation.instances):
                    gone += [instance.id for instance in ec2.reservations.pop(name).instances]
        return {"forgotten": gone}


def post_images(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """Registers AMIs after checking all of them; each boots the vendor's first release."""
    for one in asked:
        if one.get("state", "available") not in STATES or not one.get("name"):
            raise ValueError(f"an image needs a name, and a state of {', '.join(STATES)}: {one}")
        texts.check("RegisterImage", {"Description": one.get("description")})
    with here().lock:
        if taken := {str(one.get("id")) for one in asked} & {image_id for ec2 in backends() for image_id in ec2.amis}:
            raise ValueError(f"there is an image {', '.join(sorted(taken))} already")
        return {"images": [_image(one) for one in asked]}


def _image(one: dict[str, Any]) -> str:
    ec2 = ec2_backends[one.get("account", OWN_ACCOUNT)][one.get("region", REGION)]
    image_id, state = one.get("id") or random_ami_id(), one.get("state", "available")
    disk = SimpleNamespace(id="vol-ffffffff", size=ROOT_GIB)
    snapshot = Snapshot(ec2, random_snapshot_id(), disk, f"Created by the sandbox for {image_id}")
    created = _moment(one["created"]) if one.get("created") else here().stamp()
    snapshot.layers, snapshot.start_time = (vendor.RELEASES[0],), created
    snapshot.ready_at = time.monotonic() + 1e9 if state == "pending" else 0.0
    snapshot.error = "made failed by the sandbox" if state == "failed" else None
    region, _, source = str(one.get("source") or "").partition(":")
    image = Image(
        ec2,
        image_id,
        snapshot,
        name=one["name"],
        creation_date=created,
        description=one.get("description"),
        architecture=one.get("architecture", vendor.EC2),
        disabled=state == "disabled",
        last_launched_time=iso(_moment(one["launched"])) if one.get("launched") else None,
        deprecation_time=iso(_moment(one["deprecated"])) if one.get("deprecated") else None,
        deregistration_protection=one.get("protection", "disabled"),
        source_image_id=source or None,
        source_image_region=region or None,
    )
    for whom in one.get("shared", []):
        image.launch_permissions.append({"Group": "all"} if whom == "all" else {"UserId": str(whom)})
    image.add_tags(one.get("tags", {}))
    snapshot.add_tags(one.get("snapshot_tags", {}))
    return image_id
