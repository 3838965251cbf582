"""Creates the default VPC and translates security groups into firewall rules of instances."""

from __future__ import annotations

from functools import partial
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule

from ..instance_backend import FirewallRule
from .state import client_error, current_state, iter_instances, patch


@patch(EC2Backend)
def create_default_vpc(self: Any) -> Any:
    """Creates a default VPC in the backend's range, whose subnets assign no public addresses."""
    vpc = self.create_vpc(cidr_block=current_state().backend.vpc_cidr, is_default=True)
    for zone in self.describe_availability_zones():
        self.create_default_subnet(zone.name).map_public_ip_on_launch = False
    group = self.get_security_group_from_name("default", vpc_id=vpc.id)
    members = {"GroupId": group.id, "UserId": self.account_id}
    rule = SecurityGroupRule(
        self, "-1", group.id, None, None, None, source_group=members, is_egress=False
    )
    group.ingress_rules.append(rule)
    return vpc


def _groups_of(instance: Any) -> dict[str, Any]:
    """Returns the security groups of an instance and its interfaces by ID."""
    groups = [*instance.security_groups]
    for interface in instance.nics.values():
        groups += interface.group_set
    return {group.id: group for group in groups}


def _members_of(group_id: str) -> list[Any]:
    return [
        instance
        for instance in iter_instances()
        if instance.state != "terminated" and group_id in _groups_of(instance)
    ]


def collect_rules(instance: Any) -> tuple[FirewallRule, ...]:
    """Returns the firewall rules of an instance.

    A rule for a group becomes one rule for each address of the group's instances.
    """
    rules: dict[FirewallRule, None] = {}
    for group in _groups_of(instance).values():
        for egress, group_rules in ((False, group.ingress_rules), (True, group.egress_rules)):
            for rule in group_rules:
                protocol, ports = rule.ip_protocol, (rule.from_port, rule.to_port)
                if protocol not in ("tcp", "udp") or rule.from_port == -1:
                    ports = (None, None)
                for cidr in _peer_ranges(rule):
                    rules[FirewallRule(egress, protocol, *ports, cidr)] = None
    return tuple(rules)


def _peer_ranges(rule: Any) -> list[str]:
    if rule.cidr_ipv4:
        return [rule.cidr_ipv4]
    members = _members_of(rule.source_group.get("GroupId"))
    return sorted(f"{member.private_ip}/32" for member in members)


def apply_changed_rules() -> None:
    """Queues an update for every running instance whose rules changed."""
    for instance in iter_instances():
        if instance.state != "running":
            continue
        rules = collect_rules(instance)
        if rules != instance.applied_rules:
            instance.applied_rules = rules
            job = partial(current_state().backend.set_firewall_rules, instance.id, rules)
            current_state().enqueue(instance.id, job)


def _apply_rules_after(name: str) -> None:
    """Wraps a method of moto's backend: firewall rules are applied after each call."""
    original = getattr(EC2Backend, name)

    def call_and_apply(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            apply_changed_rules()

    patch(EC2Backend, name)(call_and_apply)


for _direction in ("ingress", "egress"):
    _apply_rules_after(f"authorize_security_group_{_direction}")
    _apply_rules_after(f"revoke_security_group_{_direction}")
_apply_rules_after("modify_network_interface_attribute")


@patch(EC2Backend)
def modify_instance_security_groups(
    self: Any, instance_id: str, new_group_id_list: list[str]
) -> Any:
    """Replaces the security groups of an instance and its interface."""
    instance = self.get_instance(instance_id)
    groups = [self.get_security_group_from_id(group_id) for group_id in new_group_id_list]
    if None in groups:
        missing = new_group_id_list[groups.index(None)]
        text = f"The security group '{missing}' does not exist"
        raise client_error("InvalidGroup.NotFound", text)
    instance.security_groups = groups
    instance.nics[0]._group_set = list(groups)
    apply_changed_rules()
    return instance


_moto_delete_security_group = EC2Backend.delete_security_group


@patch(EC2Backend)
def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """Deletes a security group; fails if an instance uses it."""
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group and group.is_default:
        text = f"the default group {group.id} cannot be deleted by a user"
        raise client_error("CannotDelete", text)
    if group and _members_of(group.id):
        text = f"resource {group.id} has a dependent object"
        raise client_error("DependencyViolation", text)
    return _moto_delete_security_group(self, name, group_id)
