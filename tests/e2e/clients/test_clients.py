"""Third-party clients on the local EC2 and on what bakeline released: Packer as documented, awscli, boto3."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.catalog import Catalog, tags
from support.instance import running_instance
from support.run import CompletedRun, run
from support.sandbox import Sandbox

# The "Basic Example" (HCL2) and the "Tag Example" of HashiCorp's page on amazon-ebs. Changed: region, endpoint, and a source filter
# with its login user instead of a fixed Ubuntu AMI; added: one shell provisioner, to have something to look for on the instance.
DOCUMENTED = """
variable "aws_access_key" {
  type = string
}

variable "aws_secret_key" {
  type = string
}

source "amazon-ebs" "basic-example" {
  access_key = var.aws_access_key
  secret_key =  var.aws_secret_key
  region =  "%(region)s"
  source_ami_filter {
    filters = {
      virtualization-type = "hvm"
      name                = "debian-12-amd64-*"
      root-device-type    = "ebs"
    }
    owners      = ["136693071363"]
    most_recent = true
  }
  instance_type =  "t2.micro"
  ssh_username =  "admin"
  ami_name =  "packer_AWS {{timestamp}}"
  tags = {
      OS_Version = "Debian"
      Release = "Latest"
      Base_AMI_Name = "{{ .SourceAMIName }}"
      Extra = "{{ .SourceAMITags.TagName }}"
  }

  custom_endpoint_ec2        = "%(endpoint)s"
  skip_credential_validation = true
  skip_metadata_api_check    = true
  skip_region_validation     = true
}

build {
  sources = [
    "source.amazon-ebs.basic-example"
  ]

  provisioner "shell" {
    inline = ["echo documented | sudo tee /etc/documented"]
  }
}
"""


@pytest.fixture(scope="module")
def documented(
    shared_sandbox: Sandbox, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CompletedRun, str]:
    """A plain `packer build` next to bakeline's AMIs."""
    at = tmp_path_factory.mktemp("packer")
    values = {"region": shared_sandbox.region, "endpoint": shared_sandbox.env["AWS_ENDPOINT_URL"]}
    (at / "example.pkr.hcl").write_text(DOCUMENTED % values)
    env = {
        **shared_sandbox.env,
        "PKR_VAR_aws_access_key": shared_sandbox.env["AWS_ACCESS_KEY_ID"],
        "PKR_VAR_aws_secret_key": shared_sandbox.env["AWS_SECRET_ACCESS_KEY"],
        "AWS_POLL_DELAY_SECONDS": "1",
        "AWS_MAX_ATTEMPTS": "300",
        "CHECKPOINT_DISABLE": "1",
    }
    run(["packer", "validate", "example.pkr.hcl"], at, env, want=0)
    done = run(["packer", "build", "-color=false", "example.pkr.hcl"], at, env, want=0)
    [ami] = shared_sandbox.client("ec2").describe_images(
        Owners=["self"], Filters=[{"Name": "name", "Values": ["packer_AWS *"]}]
    )["Images"]
    return done, ami["ImageId"]


def aws(shared_sandbox: Sandbox, *words: str) -> Any:
    """awscli of this very environment, its answer read as JSON."""
    done = run(
        [str(Path(sys.executable).parent / "aws"), *words, "--output", "json"], Path("/"), shared_sandbox.env, want=0
    )
    return json.loads(done.out) if done.out.strip() else None


def test_documented_packer_template_builds_and_boots(
    shared_sandbox: Sandbox, documented: tuple[CompletedRun, str], tmp_path: Path
) -> None:
    done, image = documented
    assert f"{shared_sandbox.region}: {image}" in done.out, done
    ec2 = shared_sandbox.client("ec2")
    [ami] = ec2.describe_images(ImageIds=[image])["Images"]
    assert ami["State"] == "available" and tags(ami)["Base_AMI_Name"].startswith("debian-12-amd64-")
    snapshots = [mapping["Ebs"]["SnapshotId"] for mapping in ami["BlockDeviceMappings"] if "Ebs" in mapping]
    assert [tags(one)["OS_Version"] for one in ec2.describe_snapshots(SnapshotIds=snapshots)["Snapshots"]] == ["Debian"]
    with running_instance(shared_sandbox, image, tmp_path) as one:
        assert one.ssh("cat /etc/documented") == "documented\n"
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_bakeline_ignores_amis_of_packer(catalog: Catalog, documented: tuple[CompletedRun, str]) -> None:
    _, image = documented
    for words in (("list", "--json"), ("prune", "--json"), ("plan", "--json")):
        assert image not in catalog.bakeline(*words, want=0).out


def test_awscli_finds_released_images_by_tag(
    shared_sandbox: Sandbox, catalog: Catalog, documented: tuple[CompletedRun, str]
) -> None:
    released = {name: catalog.latest(name) for name in ("left", "right")}
    query = ("ec2", "describe-images", "--owners", "self", "--filters")
    both = aws(shared_sandbox, *query, "Name=tag:Environment,Values=Test,Prod")["Images"]
    assert {ami["ImageId"] for ami in both} == set(released.values())
    prod = aws(shared_sandbox, *query, "Name=tag:Environment,Values=Prod")["Images"]
    assert [ami["ImageId"] for ami in prod] == [released["left"]] == [catalog.latest("left", "Prod")]
    newest = aws(
        shared_sandbox,
        *query,
        "Name=tag:bakeline:image,Values=right",
        "--query",
        "sort_by(Images,&CreationDate)[-1].ImageId",
    )
    assert newest == released["right"]
    all_processes = aws(shared_sandbox, "ec2", "describe-images", "--owners", "self")["Images"]
    assert len(all_processes) == 3, "the filter had something to leave out"


def test_awscli_reads_the_pointer(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    name = "/bakeline/clients/right/Test/x86_64"
    assert aws(shared_sandbox, "ssm", "get-parameter", "--name", name)["Parameter"]["Value"] == catalog.latest("right")
    found = aws(shared_sandbox, "ssm", "get-parameters-by-path", "--path", "/bakeline/clients", "--recursive")[
        "Parameters"
    ]
    assert len(found) == 3


def test_small_pages_match_one_page(
    shared_sandbox: Sandbox, catalog: Catalog, documented: tuple[CompletedRun, str]
) -> None:
    ec2 = shared_sandbox.client("ec2")
    # EC2 takes no page smaller than 5 of snapshots.
    kinds = (("describe_images", "Images", "ImageId", 2), ("describe_snapshots", "Snapshots", "SnapshotId", 5))
    for action, key, name, size in kinds:
        whole = [one[name] for one in getattr(ec2, action)()[key]]
        pages = [
            [one[name] for one in page[key]]
            for page in ec2.get_paginator(action).paginate(PaginationConfig={"PageSize": size})
        ]
        assert len(whole) > 2 and len(pages) == -(-len(whole) // size), pages
        assert all(len(page) <= size for page in pages) and [one for page in pages for one in page] == whole
    mine = ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 2})
    assert sorted(one["ImageId"] for page in mine for one in page["Images"]) == sorted(
        one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]
    )
    paged = aws(shared_sandbox, "ec2", "describe-images", "--owners", "self", "--page-size", "2")["Images"]
    assert len(paged) == 3


def test_waiters_wait(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    ec2, image = shared_sandbox.client("ec2"), catalog.latest("right")
    quick = {"Delay": 1, "MaxAttempts": 300}
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    assert instance["State"]["Name"] == "pending", "there is nothing to wait for"
    ids = [instance["InstanceId"]]
    for waiter, act in (
        ("instance_running", None),
        ("instance_stopped", ec2.stop_instances),
        ("instance_running", ec2.start_instances),
    ):
        if act:
            act(InstanceIds=ids)
        ec2.get_waiter(waiter).wait(InstanceIds=ids, WaiterConfig=quick)
        [facts] = ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"]
        assert facts["State"]["Name"] == waiter.removeprefix("instance_")
    copy = ec2.create_image(InstanceId=ids[0], Name="waited-for")["ImageId"]
    assert ec2.describe_images(ImageIds=[copy])["Images"][0]["State"] == "pending"
    ec2.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig=quick)
    [ami] = ec2.describe_images(ImageIds=[copy])["Images"]
    assert ami["State"] == "available"
    snapshot = ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=quick)
    aws(shared_sandbox, "ec2", "wait", "image-available", "--image-ids", copy)
    ec2.terminate_instances(InstanceIds=ids)
    ec2.get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig=quick)
    ec2.deregister_image(ImageId=copy)
    ec2.delete_snapshot(SnapshotId=snapshot)


def test_clients_see_native_errors(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    ec2 = shared_sandbox.client("ec2")
    with pytest.raises(ec2.exceptions.ClientError) as missing:
        ec2.describe_images(ImageIds=["ami-00000000000000000"])
    assert missing.value.response["Error"]["Code"] == "InvalidAMIID.NotFound"
    [ami] = [one for one in catalog.images() if one["ImageId"] == catalog.latest("right")]
    with pytest.raises(ec2.exceptions.ClientError) as twice:
        ec2.copy_image(Name=ami["Name"], SourceImageId=ami["ImageId"], SourceRegion=shared_sandbox.region)
    assert twice.value.response["Error"]["Code"] == "InvalidAMIName.Duplicate"
