"""Tests the condition `policies`: denies of an organization, of roles and of sessions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error, tag_specification
from test_api_accounts import DRY_RUN
from test_api_visibility import LAUNCH

ROLE = f"arn:aws:iam::{ACCOUNT}:role/build"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **members}


class Session:
    """Clients with the credentials of an assumed role."""

    def __init__(self, api: Api, role: str = ROLE, sts: Any = None, **options: Any) -> None:
        sts = sts or api.client("sts")
        response = sts.assume_role(RoleArn=role, RoleSessionName="run-1", **options)
        self.api, self.keys = api, response["Credentials"]

    def client(self, service: str = "ec2", region: str = REGION) -> Any:
        return self.api.client(
            service,
            region,
            aws_access_key_id=self.keys["AccessKeyId"],
            aws_secret_access_key=self.keys["SecretAccessKey"],
            aws_session_token=self.keys["SessionToken"],
        )


def error_of(call: Any, **arguments: Any) -> tuple[str, str, int]:
    """Returns code, message and status of the error that a call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"]["Code"], response["Error"]["Message"], status


def test_service_control_policy_requires_imdsv2(api: Api) -> None:
    ec2, launch = api.client("ec2"), {**LAUNCH, "ImageId": api.vendor_image()}
    deny = [{"action": "RunInstances", "require": {"imdsv2": True}, "sid": "RequireImdsV2"}]
    api.control("policies", {"deny": deny})
    code, message, status = error_of(ec2.run_instances, **launch)
    resource = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"
    assert (code, status) == ("UnauthorizedOperation", 403)
    text, separator, blob = message.partition(" Encoded authorization failure message: ")
    assert text == (
        "You are not authorized to perform this operation. "
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: ec2:RunInstances on "
        f"resource: {resource} with an explicit deny in a service control policy."
    )
    assert separator and len(blob) > 400 and "RunInstances" not in blob
    decoded = api.client("sts").decode_authorization_message(EncodedMessage=blob)
    details = json.loads(decoded["DecodedMessage"])
    assert (details["allowed"], details["explicitDeny"]) == (False, True)
    assert details["context"]["action"] == "ec2:RunInstances"
    assert details["context"]["resource"] == resource
    conditions = {
        entry["key"]: entry["values"]["items"][0]["value"]
        for entry in details["context"]["conditions"]["items"]
    }
    assert conditions["ec2:instancetype"] == "t3.micro"
    [statement] = details["matchedStatements"]["items"]
    required_tokens = {
        "key": "ec2:MetadataHttpTokens",
        "values": {"items": [{"value": "required"}]},
    }
    assert statement["statementId"] == "RequireImdsV2"
    assert statement["conditions"]["items"] == [required_tokens]
    sts = api.client("sts")
    code = "InvalidAuthorizationMessageException"
    for wrong in (blob[:-9] + "AAAAAAAAA", "x y", "AAAA"):
        assert_error(code, sts.decode_authorization_message, EncodedMessage=wrong)
    optional = {"MetadataOptions": {"HttpTokens": "optional"}}
    assert_error("UnauthorizedOperation", ec2.run_instances, **launch, **optional)
    required = {"MetadataOptions": {"HttpTokens": "required"}}
    api.run_instance(**required)
    assert_error("DryRunOperation", ec2.run_instances, **launch, **required, DryRun=True)


def test_launch_template_meets_requirements(api: Api) -> None:
    ec2, launch = api.client("ec2"), {"ImageId": api.vendor_image(), "MinCount": 1, "MaxCount": 1}
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    data = {
        "InstanceType": "t3.micro",
        "MetadataOptions": {"HttpTokens": "required"},
        "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet}],
        "TagSpecifications": [tag_specification("instance", team="a")],
    }
    ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    require = {
        "imdsv2": True,
        "instance_types": ["t3.*"],
        "subnets": [subnet],
        "tags": {"instance": ["team"]},
    }
    api.control("policies", {"deny": [{"action": "ec2:Run*", "require": require}]})
    assert_error("UnauthorizedOperation", ec2.run_instances, **launch)
    template = {"LaunchTemplate": {"LaunchTemplateName": "t", "Version": "$Latest"}}
    assert_error("DryRunOperation", ec2.run_instances, **launch, **template, DryRun=True)


@pytest.mark.parametrize(
    ("require", "meets"),
    [
        ({"instance_types": ["m5.*", "t3.micro"]}, {}),
        ({"subnets": ["SUBNET"]}, {"SubnetId": "SUBNET"}),
        ({"tags": {"volume": ["a"]}}, {"TagSpecifications": [tag_specification("volume", a="")]}),
    ],
)
def test_service_control_policy_requires_properties(api: Api, require: Any, meets: Any) -> None:
    ec2 = api.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    require, meets = json.loads(json.dumps([require, meets]).replace("SUBNET", subnet))
    launch = {"ImageId": api.vendor_image(), **DRY_RUN}
    api.control("policies", {"deny": [{"action": "RunInstances", "require": require}]})
    assert_error("DryRunOperation", ec2.run_instances, **{**launch, **meets})
    tags = [tag_specification("instance", a="b")]
    violates = {**launch, "InstanceType": "t3.large", "TagSpecifications": tags}
    assert_error("UnauthorizedOperation", ec2.run_instances, **violates)


def test_service_control_policy_requires_tags_of_named_resources(api: Api) -> None:
    ec2 = api.client("ec2")
    require = {"tags": {"key-pair": ["team"], "security-group": ["team"]}}
    api.control("policies", {"deny": [{"action": "ec2:*", "require": require}]})
    group = {"GroupName": "g", "Description": "d"}
    for call, resource_type, arguments in (
        (ec2.create_key_pair, "key-pair", {"KeyName": "k"}),
        (ec2.create_security_group, "security-group", group),
    ):
        other = [tag_specification(resource_type, owner="a")]
        assert_error("UnauthorizedOperation", call, **arguments, TagSpecifications=other)
        call(**arguments, TagSpecifications=[tag_specification(resource_type, team="a")])
    ec2.delete_key_pair(KeyName="k")


def test_bucket_policy_requires_headers(api: Api) -> None:
    s3 = api.client("s3", "us-east-1")
    s3.create_bucket(Bucket="evidence")
    require = {"headers": {"x-amz-server-side-encryption": "aws:kms"}}
    policy = {"action": "s3:PutObject", "require": require, "policy": "a resource-based policy"}
    api.control("policies", {"deny": [policy]})
    put = {"Bucket": "evidence", "Key": "a", "Body": b"x"}
    code, message, _ = error_of(s3.put_object, **put)
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in a resource-based policy")
    assert_error("AccessDenied", s3.put_object, **put, ServerSideEncryption="AES256")
    s3.put_object(**put, ServerSideEncryption="aws:kms")
    assert s3.get_object(Bucket="evidence", Key="a")["Body"].read() == b"x"


def test_deny_selects_account_region_and_service(api: Api) -> None:
    ssm, other = api.client("ssm"), api.account_client(OTHER_ACCOUNT, "ssm")
    rule = {"action": "ssm:Put*", "account": OTHER_ACCOUNT, "region": "eu-*"}
    policy = {"policy": "a resource control policy"}
    api.control("policies", {"deny": [rule | policy]})
    parameter = {"Name": "/a", "Value": "b", "Type": "String"}
    code, message, status = error_of(other.put_parameter, **parameter)
    arn = f"arn:aws:ssm:{REGION}:{OTHER_ACCOUNT}:parameter/a"
    assert (code, status) == ("AccessDeniedException", 400)
    assert message.endswith(
        f"is not authorized to perform: ssm:PutParameter on resource: {arn} "
        "with an explicit deny in a resource control policy"
    )
    ssm.put_parameter(**parameter)
    api.account_client(OTHER_ACCOUNT, "ssm", "us-east-1").put_parameter(**parameter)
    api.control("policies", {"deny": [{"action": "s3:*"}, {"action": "CreateRole"}]})
    assert_error("AccessDenied", api.client("s3").create_bucket, Bucket="b")
    role = {"RoleName": "r", "AssumeRolePolicyDocument": "{}"}
    assert_error("AccessDenied", api.client("iam").create_role, **role)
    api.control("policies", {"deny": [{"action": ["PutParameter"], "require": {"tags": {}}}]})
    tags = {"tags": {"parameter": ["team"]}}
    api.control("policies", {"deny": [{"action": ["PutParameter"], "require": tags}]})
    assert_error("AccessDeniedException", ssm.put_parameter, **parameter | {"Name": "/b"})
    ssm.put_parameter(**parameter | {"Name": "/b", "Tags": [{"Key": "team", "Value": "x"}]})


def test_deletion_of_several_objects_needs_the_permission_for_each(api: Api) -> None:
    own = api.client("s3", "us-east-1")
    own.create_bucket(Bucket="evidence")
    for key in ("a/1", "a/2", "b/1"):
        own.put_object(Bucket="evidence", Key=key, Body=b"x")
    policy = document(allow("s3:DeleteObject", resource="arn:aws:s3:::evidence/a/*"))
    s3 = Session(api, Policy=policy).client("s3")

    def deletion(*keys: str) -> dict[str, Any]:
        return {"Bucket": "evidence", "Delete": {"Objects": [{"Key": key} for key in keys]}}

    code, message, _ = error_of(s3.delete_objects, **deletion("a/1", "b/1"))
    assert code == "AccessDenied"
    assert "s3:DeleteObject on resource: arn:aws:s3:::evidence/b/1 because" in message
    s3.delete_objects(**deletion("a/1", "a/2"))
    assert [one["Key"] for one in own.list_objects_v2(Bucket="evidence")["Contents"]] == ["b/1"]


def test_session_policy_limits_the_credentials(api: Api) -> None:
    api.client("s3", "us-east-1").create_bucket(Bucket="evidence")
    deny = {"Effect": "Deny", "Action": "ec2:DescribeSnapshots", "Resource": "*"}
    read_only = document(allow("ec2:Describe*", "s3:GetObject", "s3:ListBucket"), deny)
    session = Session(api, Policy=read_only)
    ec2, s3 = session.client(), session.client("s3")
    ec2.describe_images()
    s3.list_objects_v2(Bucket="evidence")
    assert session.client("sts").get_caller_identity()["Account"] == ACCOUNT
    code, message, _ = error_of(ec2.create_key_pair, KeyName="k")
    assert code == "UnauthorizedOperation"
    assert "because no session policy allows the ec2:CreateKeyPair action" in message
    assert "explicit deny in a session policy" in error_of(ec2.describe_snapshots)[1]
    put = {"Bucket": "evidence", "Key": "a/b", "Body": b"x"}
    code, message, status = error_of(s3.put_object, **put)
    assert (code, status) == ("AccessDenied", 403)
    assert "s3:PutObject on resource: arn:aws:s3:::evidence/a/b because" in message
    assert_error("AccessDenied", s3.delete_object, Bucket="evidence", Key="a/b")
    api.client("s3").put_object(**put)
    assert s3.get_object(Bucket="evidence", Key="a/b")["Body"].read() == b"x"
    Session(api).client().create_key_pair(KeyName="k")


def test_session_policy_with_not_action_and_resource(api: Api) -> None:
    not_action = {"Effect": "Allow", "NotAction": ["ec2:Delete*"], "Resource": "*"}
    ec2 = Session(api, Policy=document(not_action)).client()
    ec2.create_key_pair(KeyName="k")
    assert_error("UnauthorizedOperation", ec2.delete_key_pair, KeyName="k")
    first, second = api.add_images({"name": "a"}, {"name": "b"})
    arn = f"arn:aws:ec2:{REGION}::image/{first}"
    ec2 = Session(api, Policy=document(allow("ec2:DeregisterImage", resource=arn))).client()
    assert_error("UnauthorizedOperation", ec2.deregister_image, ImageId=second)
    ec2.deregister_image(ImageId=first)


def test_invalid_session_policies_are_rejected(api: Api) -> None:
    sts, role = api.client("sts"), {"RoleArn": ROLE, "RoleSessionName": "run-2"}
    code = "MalformedPolicyDocument"
    assert_error(code, sts.assume_role, **role, Policy="{")
    assert_error(code, sts.assume_role, **role, Policy=document({"Effect": "Allow"}))
    long = document(allow(*(f"ec2:Action{number}" for number in range(200))))
    assert_error("ValidationError", sts.assume_role, **role, Policy=long)
    arns = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    assert_error("UnsupportedOperation", sts.assume_role, **role, PolicyArns=arns)


def test_policies_are_reset_and_validated(api: Api) -> None:
    settings = {"deny": [{"action": "RunInstances", "require": {"imdsv2": True}}]}
    assert api.control("policies", settings) == settings
    assert api.control("policies") == settings
    api.control("reset", {})
    assert api.control("policies") == {}
    rule = {"action": "RunInstances"}
    for body, text in (
        ({"denies": []}, "the body has an unknown member 'denies'"),
        ({"deny": [{"actions": "x"}]}, "a rule of deny has an unknown member 'actions'"),
        ({"deny": [{}]}, "an entry of action must be a text, and not None"),
        ({"deny": [rule | {"require": {"imds": 2}}]}, "require has an unknown member 'imds'"),
        ({"deny": [rule | {"require": {"imdsv2": 1}}]}, "require.imdsv2 must be true or false"),
        ({"deny": [rule | {"require": {"headers": {"a": 1}}}]}, "require.headers.a must be a text"),
        ({"deny": [rule | {"region": 1}]}, "region must be a text, and not 1"),
        ({"enforce_roles": "yes"}, "enforce_roles must be true or false, and not 'yes'"),
    ):
        status, error = api.try_control("policies", body)
        assert (status, error.startswith(f"policies: {text}")) == (400, True), error
    assert api.control("policies") == {}
