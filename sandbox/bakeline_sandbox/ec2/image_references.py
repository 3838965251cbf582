"""Implements DescribeImageReferences: finds what refers to AMIs in one account and Region."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response
from moto.ssm.models import ssm_backends

from .instance import STATE_CODES
from .state import client_error, patch

MAX_IMAGES = 10
DEFAULT_VERSION_DEPTH = 10  # launch template versions, newest first
INSTANCE, LAUNCH_TEMPLATE, PARAMETER = "ec2:Instance", "ec2:LaunchTemplate", "ssm:Parameter"
_OPTION_NAMES = {INSTANCE: "state-name", LAUNCH_TEMPLATE: "version-depth"}
RESOURCE_TYPES = (
    *(INSTANCE, LAUNCH_TEMPLATE, PARAMETER),
    *("imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe"),  # never exist here
)
References = Iterator[tuple[str, str]]  # image ID and ARN without its first two parts


def _instance_references(ec2: Any, states: list[str]) -> References:
    for reservation in ec2.reservations.values():
        for instance in reservation.instances:
            if instance.state in states:
                yield instance.image_id, _ec2_resource(ec2, f"instance/{instance.id}")


def _template_references(ec2: Any, depth: list[str]) -> References:
    for template in ec2.launch_templates.values():
        versions = template.versions[-int(depth[0]) :]
        for image_id in {version.image_id for version in versions}:
            yield image_id, _ec2_resource(ec2, f"launch-template/{template.id}")


def _parameter_references(ec2: Any, _: list[str]) -> References:
    parameters = ssm_backends[ec2.account_id][ec2.region_name]._parameters
    for name, versions in dict.items(parameters):
        if versions and versions[-1].data_type == "aws:ec2:image":
            resource = f"parameter/{name.lstrip('/')}"
            yield versions[-1].value, f"ssm:{ec2.region_name}:{ec2.account_id}:{resource}"


def _ec2_resource(ec2: Any, resource: str) -> str:
    return f"ec2:{ec2.region_name}:{ec2.account_id}:{resource}"


# Finds references to all AMIs; the list has the default values of the type's option.
_FINDERS: dict[str, tuple[Callable[[Any, list[str]], References], list[str]]] = {
    INSTANCE: (_instance_references, list(STATE_CODES)),
    LAUNCH_TEMPLATE: (_template_references, [str(DEFAULT_VERSION_DEPTH)]),
    PARAMETER: (_parameter_references, []),
}


def _requested_types(response: Any) -> dict[str, list[str]]:
    """Returns the requested resource types with the values of their options."""
    include_all = response._get_param("IncludeAllResourceTypes")
    types: dict[str, list[str]] = {name: [] for name in RESOURCE_TYPES} if include_all else {}
    for entry in response._get_param("ResourceTypes", []):
        name = str(entry.get("ResourceType"))
        if name not in RESOURCE_TYPES:
            text = f"The resource type '{name}' is not supported."
            raise client_error("InvalidParameterValue", text)
        types[name] = []
        for option in entry.get("ResourceTypeOptions") or []:
            types[name] = _option_values(name, option)
    if not types:
        text = "Either IncludeAllResourceTypes or ResourceTypes must be specified."
        raise client_error("MissingParameter", text)
    return types


def _option_values(resource_type: str, option: dict[str, Any]) -> list[str]:
    values = [str(value) for value in option.get("OptionValues") or []]
    if resource_type == INSTANCE:
        are_valid = all(value in STATE_CODES for value in values)
    else:
        are_valid = all(re.fullmatch("[1-9][0-9]*", value) for value in values)
    name = _OPTION_NAMES.get(resource_type)
    if option.get("OptionName") != name or not values or not are_valid:
        text = f"The option {option} is not valid for {resource_type}."
        raise client_error("InvalidParameterValue", text)
    return values


@patch(EC2Response)
def describe_image_references(self: Any) -> ActionResult:
    """Implements DescribeImageReferences for at most ten AMIs.

    Includes terminated instances unless the request selects states.
    """
    ids, limit = self._get_param("ImageIds", []), self._get_param("MaxResults")
    if not 1 <= len(ids) <= MAX_IMAGES:
        text = f"From 1 to {MAX_IMAGES} image IDs can be specified, and not {len(ids)}."
        raise client_error("InvalidParameterValue", text)
    if limit and not 5 <= int(limit) <= 1000:
        text = f"MaxResults must be from 5 to 1000, and not {limit}."
        raise client_error("InvalidParameterValue", text)
    types, token = _requested_types(self), str(self._get_param("NextToken") or "0")
    if not token.isdigit():
        text = "NextToken is not one that this API gave out."
        raise client_error("InvalidParameterValue", text)
    self.error_on_dryrun()
    references = _find_references(self, ids, types)
    start = int(token)
    end = start + int(limit or len(references))
    next_token = str(end) if end < len(references) else None
    return ActionResult({"ImageReferences": references[start:end], "NextToken": next_token})


def _find_references(
    response: Any, ids: list[str], types: dict[str, list[str]]
) -> list[dict[str, str]]:
    references = []
    for resource_type, values in types.items():
        if resource_type not in _FINDERS:
            continue
        find, default = _FINDERS[resource_type]
        for image_id, resource in find(response.ec2_backend, values or default):
            if image_id in ids:
                arn = f"arn:{response.partition}:{resource}"
                entry = {"ImageId": image_id, "ResourceType": resource_type, "Arn": arn}
                references.append(entry)
    return sorted(references, key=lambda entry: (entry["ImageId"], entry["Arn"]))
