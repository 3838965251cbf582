"""DescribeImageReferences: what in the caller's own account and Region points at its AMIs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response
from moto.ssm.models import ssm_backends

from .lifecycle import CODES
from .world import on, refuse

AT_MOST, DEPTH = 10, 10  # ids in a call, and launch template versions looked at when nothing else is said
OPTIONS = {"ec2:Instance": "state-name", "ec2:LaunchTemplate": "version-depth"}
TYPES = [*OPTIONS, "ssm:Parameter", "imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe"]


def _instances(ec2: Any, states: list[str]) -> Iterator[tuple[str, str]]:
    for reservation in ec2.reservations.values():
        for instance in reservation.instances:
            if instance.state in states:
                yield instance.image_id, f"ec2:{ec2.region_name}:{ec2.account_id}:instance/{instance.id}"


def _templates(ec2: Any, depth: list[str]) -> Iterator[tuple[str, str]]:
    for template in ec2.launch_templates.values():
        for image in {version.image_id for version in template.versions[-int(depth[0]) :]}:
            yield image, f"ec2:{ec2.region_name}:{ec2.account_id}:launch-template/{template.id}"


def _parameters(ec2: Any, _: list[str]) -> Iterator[tuple[str, str]]:
    for name, versions in dict.items(ssm_backends[ec2.account_id][ec2.region_name]._parameters):
        if versions and versions[-1].data_type == "aws:ec2:image":
            yield versions[-1].value, f"ssm:{ec2.region_name}:{ec2.account_id}:parameter/{name.lstrip('/')}"


LOOK = {
    "ec2:Instance": (_instances, list(CODES)),
    "ec2:LaunchTemplate": (_templates, [str(DEPTH)]),
    "ssm:Parameter": (_parameters, []),
}


def _wanted(self: Any) -> dict[str, list[str]]:
    """The types to look at, each with the values of its option, if it was given one."""
    asked: dict[str, list[str]] = {kind: [] for kind in TYPES} if self._get_param("IncludeAllResourceTypes") else {}
    for one in self._get_param("ResourceTypes", []):
        kind, values = str(one.get("ResourceType")), []
        if kind not in TYPES:
            raise refuse("InvalidParameterValue", f"The resource type '{kind}' is not supported.")
        for option in one.get("ResourceTypeOptions") or []:
            values = [str(value) for value in option.get("OptionValues") or []]
            known = all(value in CODES if kind == "ec2:Instance" else re.fullmatch("[1-9][0-9]*", value) for value in values)  # fmt: skip
            if option.get("OptionName") != OPTIONS.get(kind) or not values or not known:
                raise refuse("InvalidParameterValue", f"The option {option} is not valid for {kind}.")
        asked[kind] = values
    if not asked:
        raise refuse("MissingParameter", "Either IncludeAllResourceTypes or ResourceTypes must be specified.")
    return asked


@on(EC2Response)
def describe_image_references(self: Any) -> ActionResult:
    """DescribeImageReferences: ten AMIs a call; terminated instances count unless their states are named."""
    ids, limit = self._get_param("ImageIds", []), self._get_param("MaxResults")
    if not 1 <= len(ids) <= AT_MOST:
        raise refuse("InvalidParameterValue", f"From 1 to {AT_MOST} image IDs can be specified, and not {len(ids)}.")
    if limit and not 5 <= int(limit) <= 1000:
        raise refuse("InvalidParameterValue", f"MaxResults must be from 5 to 1000, and not {limit}.")
    asked, start = _wanted(self), self._get_param("NextToken") or "0"
    if not str(start).isdigit():
        raise refuse("InvalidParameterValue", "NextToken is not one that this API gave out.")
    self.error_on_dryrun()
    found = []
    for kind, values in asked.items():
        look, default = LOOK.get(kind, (None, []))
        for image, place in look(self.ec2_backend, values or default) if look else ():
            if image in ids:
                found.append({"ImageId": image, "ResourceType": kind, "Arn": f"arn:{self.partition}:{place}"})
    found.sort(key=lambda one: (one["ImageId"], one["Arn"]))
    first = int(start)
    last = first + int(limit or len(found))
    return ActionResult({"ImageReferences": found[first:last], "NextToken": str(last) if last < len(found) else None})
