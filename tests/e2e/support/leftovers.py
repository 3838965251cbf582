"""Creates the resources that a dead run left, and references to AMIs."""

from __future__ import annotations

from .enforced_roles import EnforcedRoles
from .state import Location

LONG_AGO = "2026-01-05T00:00:00Z"


def tag_list(**tags: str) -> list[dict[str, str]]:
    return [{"Key": f"bakeline:{key}", "Value": value} for key, value in tags.items()]


def create_leftovers(enforced: EnforcedRoles, place: Location) -> None:
    """Creates what a dead run left: an instance, a volume, a key pair, a group, a snapshot and a candidate."""
    ec2 = enforced.history.observer.client("ec2", place)
    tags = tag_list(catalog=enforced.catalog.name, run="dead", expires=LONG_AGO)
    on = lambda *kinds: [{"ResourceType": kind, "Tags": tags} for kind in kinds]
    vendor = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
    words = {"ImageId": vendor, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
    ec2.run_instances(**words, TagSpecifications=on("instance", "volume"))
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=8, TagSpecifications=on("volume"))["VolumeId"]
    ec2.create_snapshot(VolumeId=volume, TagSpecifications=on("snapshot"))
    name = f"dead{next(enforced.history.numbers)}"
    ec2.create_key_pair(KeyName=name, TagSpecifications=on("key-pair"))
    ec2.create_security_group(GroupName=name, Description="dead", TagSpecifications=on("security-group"))
    image = f"{enforced.catalog.name}/left/x86_64/20260101.1-{name}"
    facts = {
        "name": image,
        "account": place[0],
        "region": place[1],
        "snapshot_tags": {tags[0]["Key"]: tags[0]["Value"]},
    }
    its = {tag["Key"]: tag["Value"] for tag in tags} | {"bakeline:state": "candidate", "bakeline:schema": "1"}
    enforced.sandbox.control("images", [{**facts, "tags": its}])  # type: ignore[arg-type]


def create_references(enforced: EnforcedRoles, place: Location) -> None:
    """Creates a launch template and a parameter, unless they exist."""
    ec2, ssm = (enforced.history.observer.client(service, place) for service in ("ec2", "ssm"))
    if not ec2.describe_launch_templates()["LaunchTemplates"]:
        ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-00000000000000001"})
    ssm.put_parameter(Name="/team/other", Value="x", Type="String", Overwrite=True)
