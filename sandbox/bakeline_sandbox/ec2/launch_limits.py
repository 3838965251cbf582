"""Selects the subnet of a launch, and refuses launches that the condition `capacity` forbids."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response

from ..conditions.capacity import Launch
from .state import client_error, current_state, patch

DEFAULT_TYPE = "m1.small"
_COUNTED_STATES = ("pending", "running")


def select_subnet(ec2: Any, options: dict[str, Any], is_dry_run: bool = False) -> Any:
    """Returns the subnet of the request, or a default subnet, which it adds to the options."""
    interfaces = options.get("nics") or []
    has_existing = any("NetworkInterfaceId" in interface for interface in interfaces)
    if len(interfaces) > 1 or has_existing:
        text = "An instance of the sandbox has one interface, made with it."
        raise client_error("UnsupportedOperation", text)
    subnet_ids = [interface["SubnetId"] for interface in interfaces if interface.get("SubnetId")]
    if subnet_id := options.get("subnet_id") or next(iter(subnet_ids), None):
        subnet = ec2.get_subnet(subnet_id)
    else:
        subnet = _select_default_subnet(ec2, options)
        if interfaces:
            interfaces[0]["SubnetId"] = subnet.id
        else:
            options["subnet_id"] = subnet.id
    if refusal := _capacity().find_refusal(_describe_launch(ec2, options, subnet, is_dry_run)):
        raise client_error(*refusal)
    return subnet


def _capacity() -> Any:
    return current_state().conditions.capacity


def _describe_launch(ec2: Any, options: dict[str, Any], subnet: Any, is_dry_run: bool) -> Launch:
    instance_type = options.get("instance_type") or DEFAULT_TYPE
    zone = subnet.availability_zone
    return Launch(ec2.account_id, ec2.region_name, instance_type, zone, subnet.id, is_dry_run)


def _select_default_subnet(ec2: Any, options: dict[str, Any]) -> Any:
    """Returns the default subnet of the requested zone, or of the first zone with capacity."""
    defaults, zone = ec2.get_default_subnets(), options.get("placement")
    vpc = ec2.get_default_vpc()
    if vpc is None:
        text = "No default VPC for this user. GroupName is only supported for EC2-Classic and "
        raise client_error("VPCIdNotSpecified", f"{text}default VPC.")
    if not defaults:
        text = f"No subnets found for the default VPC '{vpc.id}'. Please specify a subnet."
        raise client_error("MissingInput", text)
    if zone and zone not in defaults:
        raise client_error("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    if zone:
        return defaults[zone]
    subnets = [defaults[name] for name in sorted(defaults)]
    launches = [(_describe_launch(ec2, options, subnet, False), subnet) for subnet in subnets]
    free = [subnet for launch, subnet in launches if _capacity().has_capacity(launch)]
    return (free or subnets)[0]


def check_architecture(instance_type: str, architecture: str) -> None:
    """Fails if an instance type cannot boot an AMI of this architecture."""
    supported = INSTANCE_TYPES.get(instance_type, {}).get("ProcessorInfo", {})
    names = supported.get("SupportedArchitectures") or [architecture]
    if _capacity().settings.get("architecture") and architecture not in names:
        text = (
            f"The architecture '{names[-1]}' of the specified instance type does not match the "
            f"architecture '{architecture}' of the specified AMI. Specify an instance type and an "
            "AMI that have matching architectures, and try again. You can use "
            "'describe-instance-types' or 'describe-images' to discover the architecture of the "
            "instance type or AMI."
        )
        raise client_error("InvalidParameterValue", text)


def check_vcpu_limit(ec2: Any, instance_type: str, count: int) -> None:
    """Fails if a launch exceeds the quota for vCPUs of this account and Region."""
    limit = _capacity().settings.get("vcpu_limit")
    if limit is None:
        return
    visibility = current_state().conditions.visibility
    types = [instance_type] * count + [
        instance.instance_type
        for reservation in visibility.with_hidden(ec2.reservations)
        for instance in reservation.instances
        if instance.state in _COUNTED_STATES
    ]
    if sum(_count_vcpus(name) for name in types) > limit:
        text = (
            f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows "
            "for the instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        )
        raise client_error("VcpuLimitExceeded", text)


def _count_vcpus(instance_type: str) -> int:
    return int(INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 1))


def check_not_pending(image: Any, action: str) -> None:
    """Fails if an action of the owner is refused while the AMI is pending."""
    if image.state == "pending" and _capacity().refuses_pending(action):
        raise pending_error(image.id)


def pending_error(image_id: str) -> Exception:
    """Returns EC2's error for an AMI that is still pending."""
    text = f"The AMI ID '{image_id}' is currently pending and may not be used for this operation"
    return client_error("InvalidAMIID.Unavailable", text)


_moto_create_security_group = EC2Response.create_security_group


@patch(EC2Response)
def create_security_group(self: Any) -> ActionResult:
    """Implements CreateSecurityGroup, which needs a VPC if the account has no default VPC."""
    if not self._get_param("VpcId") and self.ec2_backend.get_default_vpc() is None:
        raise client_error("VPCIdNotSpecified", "No default VPC for this user")
    result: ActionResult = _moto_create_security_group(self)
    return result
