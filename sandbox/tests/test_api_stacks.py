"""Tests stacks of CloudFormation."""

from __future__ import annotations

import json

from conftest import ACCOUNT, Api

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${Home}:root"}},
            "Action": "sts:AssumeRole",
        }
    ],
}


def test_stack_creates_roles_whose_condition_holds(api: Api) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    template = {
        "Parameters": {"Home": {"Type": "String"}},
        "Conditions": {
            "Here": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, {"Ref": "Home"}]},
            "Elsewhere": {"Fn::Not": [{"Condition": "Here"}]},
        },
        "Resources": {
            "A": {**role, "Condition": "Here"},
            "B": {**role, "Condition": "Elsewhere"},
        },
    }
    stacks, iam = api.client("cloudformation"), api.client("iam")
    stacks.create_stack(
        StackName="roles",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Home", "ParameterValue": ACCOUNT}],
        Capabilities=["CAPABILITY_IAM"],
    )
    [created] = iam.list_roles()["Roles"]
    assert created["RoleName"].startswith("roles-A-"), "only the role whose condition holds"
    statement = created["AssumeRolePolicyDocument"]["Statement"][0]
    assert statement["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:root"
