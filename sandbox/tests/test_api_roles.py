"""Tests that `policies {"enforce_roles": true}` limits roles to their IAM policies."""

from __future__ import annotations

from typing import Any

from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error, tag_specification
from test_api_accounts import DRY_RUN
from test_api_policies import ROLE, Session, allow, document, error_of

TRUST = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}


def create_role(api: Api, *statements: dict[str, Any], trust: Any = TRUST, **options: Any) -> None:
    iam = api.client("iam")
    iam.create_role(RoleName="build", AssumeRolePolicyDocument=document(trust), **options)
    set_role_policy(api, *statements)


def set_role_policy(api: Api, *statements: dict[str, Any]) -> None:
    policy = {"RoleName": "build", "PolicyName": "p", "PolicyDocument": document(*statements)}
    api.client("iam").put_role_policy(**policy)


def test_role_is_limited_to_its_policies(api: Api) -> None:
    iam = api.client("iam")
    create_role(api, allow("ec2:Describe*"))
    session = Session(api)
    session.client().create_key_pair(KeyName="before")
    api.control("policies", {"enforce_roles": True})
    session.client().describe_images()
    code, message, _ = error_of(session.client().create_key_pair, KeyName="k")
    assert code == "UnauthorizedOperation"
    assert (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/build/run-1 is not authorized to perform: "
        f"ec2:CreateKeyPair on resource: arn:aws:ec2:{REGION}:{ACCOUNT}:key-pair/k because no "
        "identity-based policy allows the ec2:CreateKeyPair action."
    ) in message
    policy = document(allow("ec2:CreateKeyPair"))
    arn = iam.create_policy(PolicyName="more", PolicyDocument=policy)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="build", PolicyArn=arn)
    session.client().create_key_pair(KeyName="k")
    tags = [tag_specification("key-pair", a="b")]
    code, message, _ = error_of(
        session.client().create_key_pair, KeyName="t", TagSpecifications=tags
    )
    assert "ec2:CreateTags on resource" in message, "tags need a permission of their own"
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=document(allow("ec2:Describe*")))
    limit = {"RoleName": "build", "PermissionsBoundary": boundary["Policy"]["Arn"]}
    iam.put_role_permissions_boundary(**limit)
    message = error_of(session.client().create_key_pair, KeyName="l")[1]
    assert "because no permissions boundary allows" in message
    session.client("sts").get_caller_identity()
    api.client("ec2").create_key_pair(KeyName="root")


def test_role_conditions_select_tags_and_region(api: Api) -> None:
    own = {"StringEquals": {"aws:ResourceTag/catalog": "acme"}}
    request = {
        "StringLike": {"aws:RequestTag/catalog": "ac*", "aws:RequestedRegion": ["eu-*"]},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["catalog", "team"]},
        "StringEquals": {"ec2:CreateAction": "CreateKeyPair"},
    }
    create_role(
        api,
        allow("ec2:DeregisterImage", Condition=own),
        allow("ec2:CreateKeyPair"),
        allow("ec2:CreateTags", Condition=request),
    )
    first, second = api.add_images({"name": "a", "tags": {"catalog": "acme"}}, {"name": "b"})
    api.control("policies", {"enforce_roles": True})
    session, code = Session(api), "UnauthorizedOperation"
    ec2 = session.client()
    assert_error(code, ec2.deregister_image, ImageId=second)
    ec2.deregister_image(ImageId=first)
    assert_error(code, ec2.create_tags, Resources=[second], Tags=[{"Key": "catalog", "Value": "a"}])

    def create_key(region: str = REGION, **tags: str) -> None:
        specifications = [tag_specification("key-pair", **tags)]
        ec2 = session.client(region=region)
        ec2.create_key_pair(KeyName="k", TagSpecifications=specifications)

    assert_error(code, create_key, catalog="other")
    assert_error(code, create_key, catalog="acme", owner="x")
    assert_error(code, create_key, catalog="acme", region="us-east-1")
    create_key(catalog="acme")


def test_unsupported_conditions_deny_with_a_reason(api: Api) -> None:
    api.control("policies", {"enforce_roles": True})
    create_role(api, allow("ec2:CreateKeyPair"))
    for statement, reason in (
        ({"Condition": {"NumericEquals": {"s3:prefix": "1"}}}, "the condition operator NumericEq"),
        ({"Condition": {"StringEquals": {"ec2:Owner": "x"}}}, "the condition key ec2:Owner"),
        (
            {"Condition": {"StringEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/r}"}}},
            "a variable in the condition on aws:RequestedRegion",
        ),
    ):
        set_role_policy(api, allow("ec2:CreateKeyPair", **statement))
        code, message, _ = error_of(Session(api).client().create_key_pair, KeyName="k")
        assert code == "UnauthorizedOperation"
        assert f"cannot evaluate a policy for arn:aws:sts::{ACCOUNT}" in message
        assert reason in message


def test_launch_needs_permission_to_pass_the_role(api: Api) -> None:
    iam, launch = api.client("iam"), {"ImageId": api.vendor_image(), **DRY_RUN}
    create_role(api, allow("ec2:RunInstances"))
    iam.create_role(RoleName="agent", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="agent")
    iam.add_role_to_instance_profile(InstanceProfileName="agent", RoleName="agent")
    api.control("policies", {"enforce_roles": True})
    ec2, profile = Session(api).client(), {"IamInstanceProfile": {"Name": "agent"}}
    assert_error("DryRunOperation", ec2.run_instances, **launch)
    message = error_of(ec2.run_instances, **launch, **profile)[1]
    assert f"iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/agent" in message
    service = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    pass_role = allow("iam:PassRole", resource="arn:aws:iam::*:role/agent", Condition=service)
    set_role_policy(api, allow("ec2:RunInstances"), pass_role)
    assert_error("DryRunOperation", ec2.run_instances, **launch, **profile)
    parameter = {**launch, "ImageId": "resolve:ssm:/images/base"}
    assert "ssm:GetParameters on resource" in error_of(ec2.run_instances, **parameter)[1]


def test_snapshots_need_a_permission_of_their_own(api: Api) -> None:
    create_role(api, allow("ec2:DeregisterImage"))
    first, second = api.add_images({"name": "a"}, {"name": "b"})
    api.control("policies", {"enforce_roles": True})
    ec2 = Session(api).client()

    def deregister(image: str) -> str:
        options = {"ImageId": image, "DeleteAssociatedSnapshots": True}
        return str(ec2.deregister_image(**options)["DeleteSnapshotResults"][0]["ReturnCode"])

    assert deregister(first) == "missing-permissions"
    set_role_policy(api, allow("ec2:DeregisterImage", "ec2:DeleteSnapshot"))
    assert deregister(second) == "success"


def test_parameter_needs_permissions_for_tags_and_images(api: Api) -> None:
    arn = f"arn:aws:ssm:*:{ACCOUNT}:parameter/acme/*"
    create_role(api, allow("ssm:PutParameter", resource=arn))
    (image,) = api.add_images({"name": "a"})
    api.control("policies", {"enforce_roles": True})
    ssm, parameter = Session(api).client("ssm"), {"Type": "String", "Value": image}
    name, other = {"Name": "/acme/a"}, {"Name": "/b"}
    ssm.put_parameter(**parameter, **name)
    assert_error("AccessDeniedException", ssm.put_parameter, **parameter, **other)
    tags = {"Name": "/acme/b", "Tags": [{"Key": "a", "Value": "b"}]}
    assert "ssm:AddTagsToResource" in error_of(ssm.put_parameter, **parameter, **tags)[1]
    data_type = {"Name": "/acme/c", "DataType": "aws:ec2:image"}
    assert "ec2:DescribeImages" in error_of(ssm.put_parameter, **parameter, **data_type)[1]


def test_assumed_role_must_exist_and_trust_the_caller(api: Api) -> None:
    external = {"Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}
    create_role(api, allow("sts:AssumeRole"), trust={**TRUST, **external})
    other = api.account_client(OTHER_ACCOUNT, "sts")
    api.control("policies", {"enforce_roles": True})
    sts, role = api.client("sts"), {"RoleArn": ROLE, "RoleSessionName": "run-2"}
    code, message, _ = error_of(sts.assume_role, **role)
    assert code == "AccessDenied"
    assert f"sts:AssumeRole on resource: {ROLE}" in message
    session = Session(api, ExternalId="secret")
    missing = {**role, "RoleArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/none"}
    assert_error("AccessDenied", session.client("sts").assume_role, **missing)
    assert_error("AccessDenied", other.assume_role, **role, ExternalId="secret")


def test_session_token_of_root_is_not_limited(api: Api) -> None:
    keys = api.client("sts").get_session_token()["Credentials"]
    api.control("policies", {"enforce_roles": True})
    ec2 = api.client(
        "ec2",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    ec2.create_key_pair(KeyName="k")
