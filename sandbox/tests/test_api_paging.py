"""Tests that paginated lists are complete, also if items are deleted between two pages."""

from __future__ import annotations

from typing import Any

from conftest import Api, error_code

IMAGE = {"ImageId": "ami-0123456789abcdef0"}


def create_templates(api: Api, count: int) -> list[str]:
    ec2 = api.client("ec2")
    made = [
        ec2.create_launch_template(LaunchTemplateName=f"t-{n}", LaunchTemplateData=IMAGE)
        for n in range(count)
    ]
    return [one["LaunchTemplate"]["LaunchTemplateId"] for one in made]


def list_pages(
    api: Api, call: str, member: str, size: int | None = None, **arguments: Any
) -> list[list[Any]]:
    wanted = {} if size is None else {"PageSize": size}
    found = api.client("ec2").get_paginator(call).paginate(**arguments, PaginationConfig=wanted)
    return [page[member] for page in found]


def test_launch_templates_have_pages(api: Api) -> None:
    ec2, ids = api.client("ec2"), create_templates(api, 40)
    assert [
        one["LaunchTemplateId"] for one in ec2.describe_launch_templates()["LaunchTemplates"]
    ] == ids
    found = list_pages(api, "describe_launch_templates", "LaunchTemplates", 15)
    assert [len(page) for page in found] == [15, 15, 10]
    assert [one["LaunchTemplateId"] for page in found for one in page] == ids
    assert [one["LaunchTemplateName"] for one in found[0]] == [f"t-{n}" for n in range(15)]
    picked = ec2.describe_launch_templates(LaunchTemplateIds=ids[20:30], MaxResults=200)
    assert [one["LaunchTemplateId"] for one in picked["LaunchTemplates"]] == ids[
        20:30
    ] and "NextToken" not in picked
    named = {"Filters": [{"Name": "launch-template-name", "Values": ["t-3", "t-33"]}]}
    assert (
        list_pages(api, "describe_launch_templates", "LaunchTemplates", 1, **named)[1][0][
            "LaunchTemplateId"
        ]
        == ids[33]
    )
    for wrong in ({"MaxResults": 201}, {"NextToken": "junk"}):
        assert error_code(ec2.describe_launch_templates, **wrong) == "InvalidParameterValue"


def test_launch_template_page_continues_after_deletion(api: Api) -> None:
    ec2, ids = api.client("ec2"), create_templates(api, 6)
    first = ec2.describe_launch_templates(MaxResults=3)
    for gone in (ids[1], ids[3]):
        ec2.delete_launch_template(LaunchTemplateId=gone)
    rest = ec2.describe_launch_templates(MaxResults=3, NextToken=first["NextToken"])
    assert [one["LaunchTemplateId"] for one in rest["LaunchTemplates"]] == ids[
        4:
    ] and "NextToken" not in rest


def test_launch_template_has_its_current_tags(api: Api) -> None:
    ec2, [template] = api.client("ec2"), create_templates(api, 1)
    ec2.create_tags(Resources=[template], Tags=[{"Key": "team", "Value": "web"}])
    [found] = ec2.describe_launch_templates()["LaunchTemplates"]
    assert found["Tags"] == [{"Key": "team", "Value": "web"}]


def test_launch_template_versions_have_pages(api: Api) -> None:
    ec2, [template] = api.client("ec2"), create_templates(api, 1)
    for n in range(2, 41):
        data = {"ImageId": f"ami-{n:017x}"}
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="7")
    call, member = "describe_launch_template_versions", "LaunchTemplateVersions"
    every = ec2.describe_launch_template_versions(LaunchTemplateId=template)
    assert [one["VersionNumber"] for one in every[member]] == list(
        range(1, 41)
    ) and "NextToken" not in every
    assert [one["VersionNumber"] for one in every[member] if one["DefaultVersion"]] == [7]
    assert every[member][38]["LaunchTemplateData"]["ImageId"] == f"ami-{39:017x}"
    found = list_pages(api, call, member, 15, LaunchTemplateName="t-0")
    assert [len(page) for page in found] == [15, 15, 10]
    assert [one["VersionNumber"] for page in found for one in page] == list(range(1, 41))
    some = {"LaunchTemplateId": template, "MinVersion": "3", "MaxVersion": "38"}
    assert [
        one["VersionNumber"] for page in list_pages(api, call, member, 30, **some) for one in page
    ] == [*range(3, 39)]
    both = ec2.describe_launch_template_versions(
        LaunchTemplateId=template, Versions=["$Latest", "$Default", "2"]
    )
    assert sorted(one["VersionNumber"] for one in both[member]) == [2, 7, 40]
    for wrong in ({"MaxResults": 0}, {"MaxResults": 201}, {"NextToken": "junk"}):
        assert (
            error_code(ec2.describe_launch_template_versions, LaunchTemplateId=template, **wrong)
            == "InvalidParameterValue"
        )


def test_latest_versions_of_many_templates_have_pages(api: Api) -> None:
    ids = create_templates(api, 201)
    found = list_pages(
        api, "describe_launch_template_versions", "LaunchTemplateVersions", Versions=["$Latest"]
    )
    assert [len(page) for page in found] == [200, 1]
    assert [one["LaunchTemplateId"] for page in found for one in page] == ids
    assert [
        len(page) for page in list_pages(api, "describe_launch_templates", "LaunchTemplates")
    ] == [200, 1]


def test_other_lists_are_complete(api: Api) -> None:
    ec2, ssm, scaling, s3 = (api.client(name) for name in ("ec2", "ssm", "autoscaling", "s3"))
    s3.create_bucket(
        Bucket="pages", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    ec2.create_launch_template(LaunchTemplateName="pages", LaunchTemplateData=IMAGE)
    run = {"ImageId": api.vendor_image(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    for n in range(101):
        ec2.create_key_pair(KeyName=f"k-{n}", KeyType="ed25519")
        ec2.create_security_group(GroupName=f"g-{n}", Description="d")
        ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1)
        ec2.run_instances(**run)
        ssm.put_parameter(Name=f"/pages/{n}", Type="String", Value="x")
        scaling.create_launch_configuration(
            LaunchConfigurationName=f"c-{n}", ImageId="ami-1", InstanceType="t3.micro"
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=f"a-{n}", MinSize=0, MaxSize=0, AvailabilityZones=["eu-central-1a"],
            LaunchTemplate={"LaunchTemplateName": "pages", "Version": "$Latest"},
        )  # fmt: skip
    for n in range(1001):
        s3.put_object(Bucket="pages", Key=f"{n:04}", Body=b"")

    def count(client: Any, call: str, member: str, **arguments: Any) -> int:
        return sum(
            len(page.get(member, [])) for page in client.get_paginator(call).paginate(**arguments)
        )

    assert count(ec2, "describe_instances", "Reservations") == 101
    assert count(ec2, "describe_security_groups", "SecurityGroups", Filters=[{"Name": "description", "Values": ["d"]}]) == 101  # fmt: skip
    assert count(ec2, "describe_volumes", "Volumes") == 202
    assert len(ec2.describe_key_pairs()["KeyPairs"]) == 101
    assert count(ssm, "describe_parameters", "Parameters") == 101
    assert count(ssm, "get_parameters_by_path", "Parameters", Path="/pages") == 101
    assert count(scaling, "describe_launch_configurations", "LaunchConfigurations") == 101
    assert count(scaling, "describe_auto_scaling_groups", "AutoScalingGroups") == 101
    assert count(s3, "list_objects_v2", "Contents", Bucket="pages") == 1001
