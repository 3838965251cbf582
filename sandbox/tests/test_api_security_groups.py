"""Tests that security groups become firewall rules of the backend."""

from __future__ import annotations

from typing import Any

from conftest import Api, assert_error, tag_specification, wait_until

from bakeline_sandbox.instance_backend import FirewallRule

EGRESS_RULE = FirewallRule(True, "-1", None, None, "0.0.0.0/0")
SSH_RULE = FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0")
ALLOW_SSH = [
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
]


def create_group(ec2: Any, name: str, **options: Any) -> str:
    return ec2.create_security_group(GroupName=name, Description="d", **options)["GroupId"]


def test_firewall_rules_follow_permissions(api: Api) -> None:
    ec2 = api.client("ec2")
    specifications = [tag_specification("security-group", a="b")]
    group = create_group(ec2, "g", TagSpecifications=specifications)
    instance = api.run_instance(SecurityGroupIds=[group])
    assert api.backend.rules[instance] == (EGRESS_RULE,)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ALLOW_SSH)
    wait_until(lambda: set(api.backend.rules[instance]) == {EGRESS_RULE, SSH_RULE})
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=ALLOW_SSH)
    wait_until(lambda: set(api.backend.rules[instance]) == {EGRESS_RULE})


def test_rule_for_group_follows_its_members(api: Api) -> None:
    ec2 = api.client("ec2")
    group, other = create_group(ec2, "g"), create_group(ec2, "h")
    instance = api.run_instance(SecurityGroupIds=[group])
    peers = [{"GroupId": group}]
    permission = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": peers}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[permission])
    peer = api.run_instance(SecurityGroupIds=[other])
    address = api.backend.specs[instance].private_ip
    rule = FirewallRule(False, "icmp", None, None, f"{address}/32")
    assert rule in api.backend.rules[peer]
    ec2.modify_instance_attribute(InstanceId=instance, Groups=[other])
    wait_until(lambda: rule not in api.backend.rules[peer])
    groups = api.wait_for_instance(instance, "running")["SecurityGroups"]
    assert groups[0]["GroupId"] == other


def test_security_group_in_use_is_not_deleted(api: Api) -> None:
    ec2 = api.client("ec2")
    group = create_group(ec2, "g")
    instance = api.run_instance(SecurityGroupIds=[group])
    assert_error("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.terminate_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "terminated")
    ec2.delete_security_group(GroupId=group)
