"""The default VPC, security groups as firewall rules, and keeping running instances in step with them."""

from __future__ import annotations

from functools import partial
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule

from ..backends import FirewallRule
from .world import here, instances, on, refuse


@on(EC2Backend)
def create_default_vpc(self: Any) -> Any:
    """The default VPC is where the backend's addresses are; its subnets hand out no public addresses."""
    vpc = self.create_vpc(cidr_block=here().backend.vpc_cidr, is_default=True)
    for zone in self.describe_availability_zones():
        self.create_default_subnet(zone.name).map_public_ip_on_launch = False
    own = self.get_security_group_from_name("default", vpc_id=vpc.id)
    within = {"GroupId": own.id, "UserId": self.account_id}
    rule = SecurityGroupRule(self, "-1", own.id, None, None, None, source_group=within, is_egress=False)
    own.ingress_rules.append(rule)
    return vpc


def groups(instance: Any) -> dict[str, Any]:
    """The security groups that hold for an instance, by id."""
    listed = [*instance.security_groups, *(group for nic in instance.nics.values() for group in nic.group_set)]
    return {group.id: group for group in listed}


def _members(group_id: str) -> list[Any]:
    return [i for i in instances() if i.state != "terminated" and group_id in groups(i)]


def rules(instance: Any) -> tuple[FirewallRule, ...]:
    """The firewall of an instance; a rule that names a group means the addresses of that group's instances."""
    found: dict[FirewallRule, None] = {}
    for group in groups(instance).values():
        for egress, listed in ((False, group.ingress_rules), (True, group.egress_rules)):
            for rule in listed:
                ports = (rule.from_port, rule.to_port)
                if rule.ip_protocol not in ("tcp", "udp") or rule.from_port == -1:
                    ports = (None, None)
                peers = sorted(f"{member.private_ip}/32" for member in _members(rule.source_group.get("GroupId")))
                for cidr in [rule.cidr_ipv4] if rule.cidr_ipv4 else peers:
                    found[FirewallRule(egress, rule.ip_protocol, *ports, cidr)] = None
    return tuple(found)


def refresh() -> None:
    """Give every running instance whose rules changed its new ones."""
    for instance in instances():
        if instance.state == "running" and (now := rules(instance)) != instance.pushed:
            instance.pushed = now
            here().submit(instance.id, partial(here().backend.firewall, instance.id, now))


def _refreshing(name: str) -> None:
    original = getattr(EC2Backend, name)

    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            refresh()

    on(EC2Backend, name)(changed)


for _direction in ("ingress", "egress"):
    _refreshing(f"authorize_security_group_{_direction}")
    _refreshing(f"revoke_security_group_{_direction}")
_refreshing("modify_network_interface_attribute")


@on(EC2Backend)
def modify_instance_security_groups(self: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
    """ModifyInstanceAttribute with groups, also on the interface."""
    instance = self.get_instance(instance_id)
    found = [self.get_security_group_from_id(group_id) for group_id in new_group_id_list]
    if None in found:
        missing = new_group_id_list[found.index(None)]
        raise refuse("InvalidGroup.NotFound", f"The security group '{missing}' does not exist")
    instance.security_groups = found
    instance.nics[0]._group_set = list(found)
    refresh()
    return instance


_delete_group = EC2Backend.delete_security_group


@on(EC2Backend)
def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """A group goes only when no instance is in it any more."""
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group and group.is_default:
        raise refuse("CannotDelete", f"the default group {group.id} cannot be deleted by a user")
    if group and _members(group.id):
        raise refuse("DependencyViolation", f"resource {group.id} has a dependent object")
    return _delete_group(self, name, group_id)
