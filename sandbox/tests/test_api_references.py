"""Tests DescribeImageReferences and Auto Scaling groups."""

from __future__ import annotations

from typing import Any

from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, Api, assert_error
from test_api_policies import Session, allow, document, error_of

INSTANCE, LAUNCH_TEMPLATE = "ec2:Instance", "ec2:LaunchTemplate"


def list_references(ec2: Any, *images: str, **options: Any) -> set[tuple[str, str]]:
    """Returns image IDs with the last part of the ARN, for all resource types by default."""
    options = options or {"IncludeAllResourceTypes": True}
    response = ec2.describe_image_references(ImageIds=list(images), **options)
    entries = response["ImageReferences"]
    return {(entry["ImageId"], entry["Arn"].split(":", 4)[-1]) for entry in entries}


def list_references_of_type(
    ec2: Any, resource_type: str, image: str, **option: str
) -> set[tuple[str, str]]:
    options = [
        {"OptionName": name.replace("_", "-"), "OptionValues": [value]}
        for name, value in option.items()
    ]
    types = [{"ResourceType": resource_type, "ResourceTypeOptions": options}]
    return list_references(ec2, image, ResourceTypes=types)


def create_template(ec2: Any, name: str, image: str) -> str:
    template = ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": image}
    )
    return template["LaunchTemplate"]["LaunchTemplateId"]


def test_references_include_instances_templates_and_parameters(api: Api) -> None:
    ec2, ssm = api.client("ec2"), api.client("ssm")
    image, other, unused = api.add_images({"name": "one"}, {"name": "two"}, {"name": "none"})
    instance = api.run_instance(ImageId=image)
    template = create_template(ec2, "web", image)
    data = {"ImageId": other}
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    ssm.put_parameter(Name="/a/b", Type="String", DataType="aws:ec2:image", Value=other)
    ssm.put_parameter(Name="/text", Type="String", Value=unused)
    assert list_references(ec2, image, other, unused) == {
        (image, f"{ACCOUNT}:instance/{instance}"),
        (image, f"{ACCOUNT}:launch-template/{template}"),
        (other, f"{ACCOUNT}:launch-template/{template}"),
        (other, f"{ACCOUNT}:parameter/a/b"),
    }
    assert list_references_of_type(ec2, LAUNCH_TEMPLATE, image, version_depth="1") == set()
    assert list_references(api.account_client(OTHER_ACCOUNT), image) == set()
    assert list_references(api.client("ec2", "us-east-1"), image) == set()


def test_terminated_instances_are_references_until_forgotten(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    instance = api.run_instance(ImageId=image)
    reference = {(image, f"{ACCOUNT}:instance/{instance}")}
    assert list_references_of_type(ec2, INSTANCE, image, state_name="running") == reference
    ec2.terminate_instances(InstanceIds=[instance])
    api.wait_for_instance(instance, "terminated")
    assert list_references_of_type(ec2, INSTANCE, image, state_name="running") == set()
    assert list_references_of_type(ec2, INSTANCE, image) == reference
    assert api.control("forget", {}) == {"forgotten": [instance]}
    assert list_references_of_type(ec2, INSTANCE, image) == set()
    assert ec2.describe_instances()["Reservations"] == []


def test_references_have_pages(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    for number in range(7):
        create_template(ec2, f"template-{number}", image)
    pages = ec2.get_paginator("describe_image_references").paginate(
        ImageIds=[image], IncludeAllResourceTypes=True, PaginationConfig={"PageSize": 5}
    )
    assert [len(page["ImageReferences"]) for page in pages] == [5, 2]


def test_references_reject_wrong_parameters(api: Api) -> None:
    ec2, (image,) = api.client("ec2"), api.add_images({"name": "one"})
    describe = ec2.describe_image_references
    too_many = [f"ami-{number:017x}" for number in range(11)]
    invalid = "InvalidParameterValue"
    assert_error(invalid, describe, ImageIds=too_many, IncludeAllResourceTypes=True)
    types = [{"ResourceType": "ec2:Volume"}]
    assert_error(invalid, describe, ImageIds=[image], ResourceTypes=types)
    assert_error("MissingParameter", describe, ImageIds=[image])


def test_auto_scaling_groups_have_no_instances(api: Api) -> None:
    ec2, scaling = api.client("ec2"), api.client("autoscaling")
    (image,) = api.add_images({"name": "one"})
    create_template(ec2, "web", image)
    scaling.create_launch_configuration(
        LaunchConfigurationName="c", ImageId=image, InstanceType="t3.micro"
    )
    zones = [f"{REGION}a"]
    group = {"MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0, "AvailabilityZones": zones}
    template = {"LaunchTemplateName": "web", "Version": "$Latest"}
    create = scaling.create_auto_scaling_group
    create(AutoScalingGroupName="one", LaunchTemplate=template, **group)
    create(AutoScalingGroupName="two", LaunchConfigurationName="c", **group)
    one, two = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert one["LaunchTemplate"]["LaunchTemplateName"] == "web"
    assert one["DesiredCapacity"] == 0
    assert (two["LaunchConfigurationName"], two["Instances"]) == ("c", [])
    configurations = scaling.describe_launch_configurations()["LaunchConfigurations"]
    assert configurations[0]["ImageId"] == image
    three = {"AutoScalingGroupName": "three", "LaunchTemplate": template}
    assert_error("ValidationError", create, **three, **(group | {"DesiredCapacity": 1}))
    capacity = {"AutoScalingGroupName": "one", "DesiredCapacity": 1}
    assert_error("ValidationError", scaling.set_desired_capacity, **capacity)
    assert len(scaling.describe_auto_scaling_groups()["AutoScalingGroups"]) == 2
    other = api.account_client(OTHER_ACCOUNT, "autoscaling")
    assert other.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert ec2.describe_instances()["Reservations"] == []
    scaling.delete_auto_scaling_group(AutoScalingGroupName="one")


def test_references_need_the_reads_of_their_types(api: Api) -> None:
    reads = [
        "ec2:DescribeImageReferences",
        "ec2:DescribeInstances",
        "imagebuilder:ListImageRecipes",
    ]
    asked = {
        "ImageIds": [api.vendor_image()],
        "ResourceTypes": [
            {"ResourceType": "ec2:Instance"},
            {"ResourceType": "imagebuilder:ImageRecipe"},
        ],
    }
    session = Session(api, Policy=document(allow(*reads)))
    assert session.client().describe_image_references(**asked)["ImageReferences"] == []
    for missing in reads:
        left = document(allow(*(read for read in reads if read != missing)))
        call = Session(api, Policy=left).client().describe_image_references
        code, text, _ = error_of(call, **asked)
        assert code == "UnauthorizedOperation" and f"to perform: {missing} on" in text
