"""Tests that paginated lists are complete, also if items are deleted between two pages."""

from __future__ import annotations

from typing import Any

from conftest import Api, assert_error

DATA = {"ImageId": "ami-0123456789abcdef0"}
ZONE = "eu-central-1a"
VERSIONS_CALL, VERSIONS = "describe_launch_template_versions", "LaunchTemplateVersions"
TEMPLATES_CALL, TEMPLATES = "describe_launch_templates", "LaunchTemplates"


def create_templates(api: Api, count: int) -> list[str]:
    """Creates launch templates `t-0`, `t-1` and so on; returns their IDs."""
    create = api.client("ec2").create_launch_template
    responses = [
        create(LaunchTemplateName=f"t-{number}", LaunchTemplateData=DATA) for number in range(count)
    ]
    return [response["LaunchTemplate"]["LaunchTemplateId"] for response in responses]


def list_pages(
    api: Api, call: str, member: str, size: int | None = None, **arguments: Any
) -> list[list[Any]]:
    config = {} if size is None else {"PageSize": size}
    paginator = api.client("ec2").get_paginator(call)
    pages = paginator.paginate(**arguments, PaginationConfig=config)
    return [page[member] for page in pages]


def page_sizes(pages: list[list[Any]]) -> list[int]:
    return [len(page) for page in pages]


def collect(pages: list[list[Any]], member: str) -> list[Any]:
    return [entry[member] for page in pages for entry in page]


def test_launch_templates_have_pages(api: Api) -> None:
    ec2, ids = api.client("ec2"), create_templates(api, 40)
    everything = ec2.describe_launch_templates()[TEMPLATES]
    assert collect([everything], "LaunchTemplateId") == ids
    pages = list_pages(api, TEMPLATES_CALL, TEMPLATES, 15)
    assert page_sizes(pages) == [15, 15, 10]
    assert collect(pages, "LaunchTemplateId") == ids
    names = [f"t-{number}" for number in range(15)]
    assert collect(pages[:1], "LaunchTemplateName") == names
    response = ec2.describe_launch_templates(LaunchTemplateIds=ids[20:30], MaxResults=200)
    assert collect([response[TEMPLATES]], "LaunchTemplateId") == ids[20:30]
    assert "NextToken" not in response
    filters = [{"Name": "launch-template-name", "Values": ["t-3", "t-33"]}]
    pages = list_pages(api, TEMPLATES_CALL, TEMPLATES, 1, Filters=filters)
    assert pages[1][0]["LaunchTemplateId"] == ids[33]
    for options in ({"MaxResults": 201}, {"NextToken": "junk"}):
        assert_error("InvalidParameterValue", ec2.describe_launch_templates, **options)


def test_launch_template_page_continues_after_deletion(api: Api) -> None:
    ec2, ids = api.client("ec2"), create_templates(api, 6)
    first = ec2.describe_launch_templates(MaxResults=3)
    for deleted in (ids[1], ids[3]):
        ec2.delete_launch_template(LaunchTemplateId=deleted)
    rest = ec2.describe_launch_templates(MaxResults=3, NextToken=first["NextToken"])
    assert collect([rest[TEMPLATES]], "LaunchTemplateId") == ids[4:]
    assert "NextToken" not in rest


def test_launch_template_has_its_current_tags(api: Api) -> None:
    ec2, [template] = api.client("ec2"), create_templates(api, 1)
    tags = [{"Key": "team", "Value": "web"}]
    ec2.create_tags(Resources=[template], Tags=tags)
    [description] = ec2.describe_launch_templates()[TEMPLATES]
    assert description["Tags"] == tags


def create_versions(api: Api, count: int) -> str:
    """Creates a launch template with versions 1 to `count`; 7 is the default. Returns its ID."""
    ec2, [template] = api.client("ec2"), create_templates(api, 1)
    for number in range(2, count + 1):
        data = {"ImageId": f"ami-{number:017x}"}
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="7")
    return template


def test_launch_template_versions_have_pages(api: Api) -> None:
    template = create_versions(api, 40)
    response = api.client("ec2").describe_launch_template_versions(LaunchTemplateId=template)
    entries = response[VERSIONS]
    assert collect([entries], "VersionNumber") == list(range(1, 41))
    assert "NextToken" not in response
    assert [entry["VersionNumber"] for entry in entries if entry["DefaultVersion"]] == [7]
    assert entries[38]["LaunchTemplateData"]["ImageId"] == f"ami-{39:017x}"
    pages = list_pages(api, VERSIONS_CALL, VERSIONS, 15, LaunchTemplateName="t-0")
    assert page_sizes(pages) == [15, 15, 10]
    assert collect(pages, "VersionNumber") == list(range(1, 41))


def test_launch_template_versions_are_selected(api: Api) -> None:
    ec2, template = api.client("ec2"), create_versions(api, 40)
    describe, template_id = ec2.describe_launch_template_versions, {"LaunchTemplateId": template}
    bounds = {"MinVersion": "3", "MaxVersion": "38"}
    pages = list_pages(api, VERSIONS_CALL, VERSIONS, 30, **template_id, **bounds)
    assert collect(pages, "VersionNumber") == [*range(3, 39)]
    response = describe(**template_id, Versions=["$Latest", "$Default", "2"])
    assert sorted(collect([response[VERSIONS]], "VersionNumber")) == [2, 7, 40]
    for options in ({"MaxResults": 0}, {"MaxResults": 201}, {"NextToken": "junk"}):
        assert_error("InvalidParameterValue", describe, **template_id, **options)


def test_latest_versions_of_many_templates_have_pages(api: Api) -> None:
    ids = create_templates(api, 201)
    pages = list_pages(api, VERSIONS_CALL, VERSIONS, Versions=["$Latest"])
    assert page_sizes(pages) == [200, 1]
    assert collect(pages, "LaunchTemplateId") == ids
    assert page_sizes(list_pages(api, TEMPLATES_CALL, TEMPLATES)) == [200, 1]


def count_items(client: Any, call: str, member: str, **arguments: Any) -> int:
    pages = client.get_paginator(call).paginate(**arguments)
    return sum(len(page.get(member, [])) for page in pages)


def test_lists_of_ec2_are_complete(api: Api) -> None:
    ec2 = api.client("ec2")
    instance = {
        "ImageId": api.vendor_image(),
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
    }
    for number in range(101):
        ec2.create_key_pair(KeyName=f"k-{number}", KeyType="ed25519")
        ec2.create_security_group(GroupName=f"g-{number}", Description="d")
        ec2.create_volume(AvailabilityZone=ZONE, Size=1)
        ec2.run_instances(**instance)
    filters = [{"Name": "description", "Values": ["d"]}]
    groups = count_items(ec2, "describe_security_groups", "SecurityGroups", Filters=filters)
    assert groups == 101
    assert count_items(ec2, "describe_instances", "Reservations") == 101
    assert count_items(ec2, "describe_volumes", "Volumes") == 202
    assert len(ec2.describe_key_pairs()["KeyPairs"]) == 101


def test_lists_of_other_services_are_complete(api: Api) -> None:
    ssm, scaling, s3 = (api.client(name) for name in ("ssm", "autoscaling", "s3"))
    location = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="pages", CreateBucketConfiguration=location)
    api.client("ec2").create_launch_template(LaunchTemplateName="pages", LaunchTemplateData=DATA)
    for number in range(101):
        ssm.put_parameter(Name=f"/pages/{number}", Type="String", Value="x")
        scaling.create_launch_configuration(
            LaunchConfigurationName=f"c-{number}", ImageId="ami-1", InstanceType="t3.micro"
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=f"a-{number}",
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=[ZONE],
            LaunchTemplate={"LaunchTemplateName": "pages", "Version": "$Latest"},
        )
    for number in range(1001):
        s3.put_object(Bucket="pages", Key=f"{number:04}", Body=b"")
    assert count_items(ssm, "describe_parameters", "Parameters") == 101
    assert count_items(ssm, "get_parameters_by_path", "Parameters", Path="/pages") == 101
    call, member = "describe_launch_configurations", "LaunchConfigurations"
    assert count_items(scaling, call, member) == 101
    assert count_items(scaling, "describe_auto_scaling_groups", "AutoScalingGroups") == 101
    assert count_items(s3, "list_objects_v2", "Contents", Bucket="pages") == 1001
