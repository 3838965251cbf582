"""RunInstances checked before anything exists, and the console that moto only pretends to have."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response
from moto.ssm.models import ssm_backends

from . import images
from .lifecycle import ROOT_GIB
from .paging import iso
from .world import here, on, refuse

USER_DATA_LIMIT = 16384
FROM_TEMPLATE = (
    "ImageId KeyName SecurityGroupIds MetadataOptions BlockDeviceMappings NetworkInterfaces UserData".split()
)
_run, _reserve = EC2Response.run_instances, EC2Backend.run_instances


def once(self: Any, make: Callable[[], ActionResult]) -> ActionResult:
    """Answer a repeated ClientToken with what the first call made."""
    token = self._get_param("ClientToken")
    if not token or self._get_param("DryRun"):
        return make()
    key = (self._get_action(), self.current_account, self.region, token)
    asked = hashlib.sha256(json.dumps(self.params, sort_keys=True, default=str).encode()).hexdigest()
    first, made = here().tokens.get(key, (asked, None))
    if first != asked:
        text = f"The client token {token} was used before with other parameters."
        raise refuse("IdempotentParameterMismatch", text)
    if made is None:
        made = make()._result
        here().tokens[key] = (asked, made)
    return ActionResult(made)


@on(EC2Response)
def run_instances(self: Any) -> ActionResult:
    """RunInstances: EC2's defaults where moto has others, then moto's own."""
    return once(self, lambda: _run_instances(self))


def _run_instances(self: Any) -> ActionResult:
    params, ec2 = self.params, self.ec2_backend
    template = params.get("LaunchTemplate")
    data = ec2._get_template_from_args(template).data if template else {}
    for name in FROM_TEMPLATE:
        if not params.get(name) and data.get(name):
            params[name] = str(data[name]) if name == "UserData" else data[name]
    image = _image(self, params.get("ImageId"))
    params.update(ImageId=image.id, MinCount=params.get("MaxCount") or params.get("MinCount") or 1)
    if image.imds_support == "v2.0":
        params.setdefault("MetadataOptions", {}).setdefault("HttpTokens", "required")
    _disks(params, image.root_device_name)
    if len(base64.b64decode(str(params.get("UserData") or ""))) > USER_DATA_LIMIT:
        raise refuse("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")
    if params.get("KeyName") and params["KeyName"] not in ec2.key_pairs:
        raise refuse("InvalidKeyPair.NotFound", f"The key pair '{params['KeyName']}' does not exist")
    if params.get("PrivateIpAddress") and int(params["MinCount"]) > 1:
        raise refuse("InvalidParameterCombination", "A private IP address can't be given to several instances.")
    if params.get("DryRun"):  # moto looks at these only when it makes the instance
        if params.get("InstanceType") not in (None, *INSTANCE_TYPES):
            raise refuse("InvalidParameterValue", f"Invalid value '{params['InstanceType']}' for InstanceType.")
        zone = (params.get("Placement") or {}).get("AvailabilityZone")
        asked = {"nics": params.get("NetworkInterfaces"), "subnet_id": params.get("SubnetId"), "placement": zone}
        asked["security_group_ids"] = params.get("SecurityGroupIds") or []
        _groups(ec2, params.get("SecurityGroups") or [], asked, _place(ec2, asked).vpc_id)
    return _run(self)


def _image(self: Any, image_id: str | None) -> Any:
    """The AMI that an id or `resolve:ssm:` name stands for, if this account may launch it now."""
    if not image_id:
        raise refuse("MissingParameter", "The request must contain the parameter ImageId")
    if image_id.startswith("resolve:ssm:"):
        name = image_id.removeprefix("resolve:ssm:")
        found = ssm_backends[self.current_account][self.region].get_parameter(name)
        if found is None:
            raise refuse("InvalidParameterValue", f"There is no SSM parameter {name} in {self.region}.")
        image_id = str(found.value)
    return images.available(self.ec2_backend, image_id)


def _disks(params: dict[str, Any], root: str) -> None:
    mappings = params.get("BlockDeviceMappings") or []
    if mappings and not any(mapping.get("DeviceName") == root for mapping in mappings):
        mappings.insert(0, {"DeviceName": root})
    for mapping in mappings:
        if "NoDevice" not in mapping:
            disk = mapping.setdefault("Ebs", {})
            disk.setdefault("DeleteOnTermination", True)
            if mapping.get("DeviceName") == root:
                disk.setdefault("VolumeSize", ROOT_GIB)


def _place(ec2: Any, kwargs: dict[str, Any]) -> Any:
    """The subnet, and the interface that says so; the zone's default subnet when none is named."""
    nics = kwargs.get("nics") or []
    if len(nics) > 1 or any("NetworkInterfaceId" in nic for nic in nics):
        raise refuse("UnsupportedOperation", "An instance of the sandbox has one interface, made with it.")
    named = kwargs.get("subnet_id") or next((nic["SubnetId"] for nic in nics if nic.get("SubnetId")), None)
    if named:
        return ec2.get_subnet(named)
    defaults = ec2.get_default_subnets()
    zone = kwargs.get("placement") or min(defaults)
    if zone not in defaults:
        raise refuse("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    if nics:
        nics[0]["SubnetId"] = defaults[zone].id
    else:
        kwargs["subnet_id"] = defaults[zone].id
    return defaults[zone]


def _groups(ec2: Any, names: list[str], kwargs: dict[str, Any], vpc: str) -> list[Any]:
    nics = [group for nic in kwargs.get("nics") or [] for group in nic.get("Groups") or []]
    wanted = [*names, *kwargs.get("security_group_ids", []), *nics]
    found = {name: ec2.get_security_group_by_name_or_id(name) for name in wanted}
    if missing := [name for name, group in found.items() if group is None]:
        raise refuse("InvalidGroup.NotFound", f"The security group '{missing[0]}' does not exist")
    return list({group.id: group for group in found.values()}.values()) or [ec2.get_default_security_group(vpc)]


@on(EC2Backend, "run_instances")
def reserve(
    self: Any, image_id: str, count: int, user_data: Any, security_group_names: list[str], **kwargs: Any
) -> Any:
    """EC2Backend.run_instances: nothing stays behind when moto fails half-way; then every instance boots."""
    image = images.available(self, image_id)
    subnet = _place(self, kwargs)
    kwargs["security_group_ids"] = _groups(self, security_group_names or [], kwargs, subnet.vpc_id)
    before, addresses = set(self.reservations), set(here().addresses)
    try:
        reservation = _reserve(self, image.id, count, user_data, [], **kwargs)
    except Exception:
        for name in set(self.reservations) - before:
            del self.reservations[name]
        here().addresses = addresses
        raise
    key = self.key_pairs.get(kwargs.get("key_name"))
    for instance in reservation.instances:
        if root := instance.block_device_mapping.get(image.root_device_name):
            self.volumes[root.volume_id].snapshot_id = image.ebs_snapshot.id
        instance.launch(image.ebs_snapshot.layers, key.public_key.strip() if key else None)
    image.last_launched_time = iso(here().stamp())
    return reservation


@on(EC2Response)
def get_console_output(self: Any) -> ActionResult:
    """What the console really says, its last 64 KiB."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    self.error_on_dryrun()
    text = base64.b64encode(instance.console[-65536:]).decode()
    return ActionResult({"InstanceId": instance.id, "Timestamp": here().stamp(), "Output": Base64EncodedString(text)})
