"""Implements RunInstances, which validates everything first, and GetConsoleOutput."""

from __future__ import annotations

import base64
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response
from moto.ssm.models import ssm_backends

from .client_tokens import run_idempotently
from .encryption import encrypt_root_volume
from .images import find_available_image
from .instance import ROOT_GIB
from .launch_limits import DEFAULT_TYPE, check_architecture, check_vcpu_limit, select_subnet
from .paging import format_time
from .state import client_error, current_state, patch

MAX_USER_DATA_BYTES = 16384
MAX_CONSOLE_BYTES = 65536
SSM_PREFIX = "resolve:ssm:"
_TEMPLATE_PARAMETERS = (
    "ImageId InstanceType KeyName SecurityGroupIds MetadataOptions BlockDeviceMappings "
    "NetworkInterfaces UserData"
).split()
_moto_run_instances = EC2Response.run_instances
_moto_create_reservation = EC2Backend.run_instances


@patch(EC2Response)
def run_instances(self: Any) -> ActionResult:
    """Implements RunInstances: sets EC2's defaults where moto has others, then calls moto."""
    return run_idempotently(self, lambda: _run_instances(self))


def _run_instances(response: Any) -> ActionResult:
    parameters, ec2 = response.params, response.ec2_backend
    _apply_launch_template(ec2, parameters)
    image = _find_image(response, parameters.get("ImageId"))
    count = parameters.get("MaxCount") or parameters.get("MinCount") or 1
    parameters.update(ImageId=image.id, MinCount=count)
    if image.imds_support == "v2.0":
        parameters.setdefault("MetadataOptions", {}).setdefault("HttpTokens", "required")
    _complete_block_devices(parameters, image.root_device_name)
    if len(base64.b64decode(str(parameters.get("UserData") or ""))) > MAX_USER_DATA_BYTES:
        text = f"User data is limited to {MAX_USER_DATA_BYTES} bytes"
        raise client_error("InvalidParameterValue", text)
    key_name = parameters.get("KeyName")
    if key_name and key_name not in ec2.key_pairs:
        raise client_error("InvalidKeyPair.NotFound", f"The key pair '{key_name}' does not exist")
    if parameters.get("PrivateIpAddress") and int(parameters["MinCount"]) > 1:
        text = "A private IP address can't be given to several instances."
        raise client_error("InvalidParameterCombination", text)
    instance_type = parameters.get("InstanceType") or DEFAULT_TYPE
    check_architecture(instance_type, image.architecture)
    if not parameters.get("DryRun"):
        check_vcpu_limit(ec2, instance_type, int(count))
    if parameters.get("DryRun"):
        _validate_dry_run(ec2, parameters)
    launched = _moto_run_instances(response)
    for instance in launched.result.instances:
        _set_volume_performance(ec2, instance, parameters)
    return launched


def _set_volume_performance(ec2: Any, instance: Any, parameters: dict[str, Any]) -> None:
    """Sets IOPS and throughput of the volumes, which moto ignores in RunInstances."""
    for mapping in parameters.get("BlockDeviceMappings") or []:
        device = instance.block_device_mapping.get(mapping.get("DeviceName"))
        disk = mapping.get("Ebs") or {}
        if device is not None and device.volume_id:
            volume = ec2.volumes[device.volume_id]
            volume.iops = disk.get("Iops") or volume.iops
            volume.throughput = disk.get("Throughput") or volume.throughput


def _apply_launch_template(ec2: Any, parameters: dict[str, Any]) -> None:
    template = parameters.get("LaunchTemplate")
    data = ec2._get_template_from_args(template).data if template else {}
    for name in _TEMPLATE_PARAMETERS:
        if not parameters.get(name) and data.get(name):
            parameters[name] = str(data[name]) if name == "UserData" else data[name]


def _validate_dry_run(ec2: Any, parameters: dict[str, Any]) -> None:
    """Validates what moto validates only when it creates the instance."""
    instance_type = parameters.get("InstanceType")
    if instance_type not in (None, *INSTANCE_TYPES):
        text = f"Invalid value '{instance_type}' for InstanceType."
        raise client_error("InvalidParameterValue", text)
    options = {
        "nics": parameters.get("NetworkInterfaces"),
        "subnet_id": parameters.get("SubnetId"),
        "instance_type": instance_type,
        "placement": (parameters.get("Placement") or {}).get("AvailabilityZone"),
        "security_group_ids": parameters.get("SecurityGroupIds") or [],
    }
    vpc_id = select_subnet(ec2, options, is_dry_run=True).vpc_id
    _find_groups(ec2, parameters.get("SecurityGroups") or [], options, vpc_id)


def _find_image(response: Any, image_id: str | None) -> Any:
    """Returns the AMI for an ID or a `resolve:ssm:` name; fails if the account cannot launch it."""
    if not image_id:
        text = "The request must contain the parameter ImageId"
        raise client_error("MissingParameter", text)
    if image_id.startswith(SSM_PREFIX):
        name, region = image_id.removeprefix(SSM_PREFIX), response.region
        parameter = ssm_backends[response.current_account][region].get_parameter(name)
        if parameter is None:
            text = f"There is no SSM parameter {name} in {region}."
            raise client_error("InvalidParameterValue", text)
        image_id = str(parameter.value)
    return find_available_image(response.ec2_backend, image_id)


def _complete_block_devices(parameters: dict[str, Any], root_device: str) -> None:
    """Adds a missing mapping of the root device, and EC2's defaults."""
    mappings = parameters.get("BlockDeviceMappings") or []
    if mappings and not any(mapping.get("DeviceName") == root_device for mapping in mappings):
        mappings.insert(0, {"DeviceName": root_device})
    for mapping in mappings:
        if "NoDevice" not in mapping:
            disk = mapping.setdefault("Ebs", {})
            disk.setdefault("DeleteOnTermination", True)
            if mapping.get("DeviceName") == root_device:
                disk.setdefault("VolumeSize", ROOT_GIB)


def _find_groups(ec2: Any, names: list[str], options: dict[str, Any], vpc_id: str) -> list[Any]:
    """Returns the security groups of the request, or the default group."""
    interfaces = options.get("nics") or []
    of_interfaces = [name for interface in interfaces for name in interface.get("Groups") or []]
    requested = [*names, *options.get("security_group_ids", []), *of_interfaces]
    groups = {name: ec2.get_security_group_by_name_or_id(name) for name in requested}
    if missing := [name for name, group in groups.items() if group is None]:
        text = f"The security group '{missing[0]}' does not exist"
        raise client_error("InvalidGroup.NotFound", text)
    unique = list({group.id: group for group in groups.values()}.values())
    return unique or [ec2.get_default_security_group(vpc_id)]


@patch(EC2Backend, "run_instances")
def create_reservation(
    self: Any,
    image_id: str,
    count: int,
    user_data: Any,
    security_group_names: list[str],
    **options: Any,
) -> Any:
    """Creates and boots instances; removes everything again if moto fails."""
    image = find_available_image(self, image_id)
    vpc_id = select_subnet(self, options).vpc_id
    groups = _find_groups(self, security_group_names or [], options, vpc_id)
    options["security_group_ids"] = groups
    state = current_state()
    reservations, addresses = set(self.reservations), set(state.addresses)
    try:
        reservation = _moto_create_reservation(self, image.id, count, user_data, [], **options)
    except Exception:
        for name in set(self.reservations) - reservations:
            del self.reservations[name]
        state.addresses = addresses
        raise
    key = self.key_pairs.get(options.get("key_name"))
    public_key = key.public_key.strip() if key else None
    snapshot, failure = image.ebs_snapshot, None
    for instance in reservation.instances:
        if mapping := instance.block_device_mapping.get(image.root_device_name):
            volume = self.volumes[mapping.volume_id]
            volume.snapshot_id = snapshot.id
            failure = encrypt_root_volume(volume, snapshot, _has_root_key(image, options))
        instance.launch_failure = failure
        instance.launch(image.ebs_snapshot.layers, public_key)
    image.last_launched_time = format_time(state.next_timestamp())
    return reservation


def _has_root_key(image: Any, options: dict[str, Any]) -> bool:
    mappings = options.get("block_device_mappings") or []
    return any(
        bool((mapping.get("Ebs") or {}).get("KmsKeyId"))
        for mapping in mappings
        if mapping.get("DeviceName") == image.root_device_name
    )


@patch(EC2Response)
def get_console_output(self: Any) -> ActionResult:
    """Implements GetConsoleOutput: returns the last 64 KiB."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    self.error_on_dryrun()
    output = base64.b64encode(instance.console_output[-MAX_CONSOLE_BYTES:]).decode()
    return ActionResult(
        {
            "InstanceId": instance.id,
            "Timestamp": current_state().next_timestamp(),
            "Output": Base64EncodedString(output),
        }
    )
