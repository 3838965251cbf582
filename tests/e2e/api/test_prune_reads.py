"""Prune keeps an AMI while it cannot know that nothing refers to it: unreadable answers, and parameters in other Regions. A sweep
reports a location that it cannot read.

boto3 judges which AMIs exist before and after. Each case is repeated without its cause, and then the AMI is deregistered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from support.catalog import VENDOR, Catalog
from support.gateway import Gateway
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis
from support.seeded_history import ROLE
from support.state import OTHER, OWN, CloudObserver

OTHER_REGION = "us-east-1"
RETENTION = {"keep": 1, "disable_after": "0s", "deregister_after": "0s"}
READS = (
    "DescribeImages",
    "DescribeInstances",
    "DescribeLaunchTemplates",
    "DescribeLaunchTemplateVersions",
    "DescribeLaunchConfigurations",
    "DescribeParameters",
    "GetParameters",
    "DescribeImageReferences",
    "DescribeImageAttribute",
)
PAGE = "<!DOCTYPE html><html><body>Please log in to the proxy.</body></html>"


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    sandbox.reset()
    project = {"retention": RETENTION, "brakes": {"percent": 100}, "regions": [sandbox.region, OTHER_REGION]}
    catalog = Catalog(sandbox, tmp_path / "reads", "reads", **project)
    catalog.image("base", source=VENDOR)
    seeded = SeededAmis(sandbox, catalog)
    seeded.add("base", 20, {"bakeline:current": HERE})
    yield seeded
    sandbox.control("faults", {"faults": []})


@pytest.mark.parametrize("body", ["", PAGE], ids=["empty", "proxy page"])
@pytest.mark.parametrize("action", READS)
def test_unreadable_answer_is_an_error(seeded: SeededAmis, action: str, body: str) -> None:
    """Status 200 with a body that AWS did not write must never count as "nothing refers to the AMI"."""
    ec2, scaling = seeded.sandbox.client("ec2"), seeded.sandbox.client("autoscaling")
    ec2.create_launch_template(LaunchTemplateName="other", LaunchTemplateData={"ImageId": "ami-00000000000000009"})
    scaling.create_launch_configuration(
        LaunchConfigurationName="other", ImageId="ami-00000000000000009", InstanceType="t3.small"
    )
    seeded.sandbox.client("ssm").put_parameter(Name="/other", Value="text", Type="String")
    old = seeded.add("base", 10)
    assert seeded.prune_decision(old)[0] == "goes"
    fault = {"action": action, "status": 200, "body": body, "times": 10_000}
    seeded.sandbox.control("faults", fault)
    mark, before = seeded.sandbox.mark(), seeded.sandbox.control("status")["images"]
    done = seeded.catalog.bakeline("prune", "--apply")
    assert done.code in (1, 4), done
    assert action in done.err, done
    assert any(call["action"] == action and call["status"] == 200 for call in seeded.sandbox.api(mark)), (
        "the fault took effect"
    )
    assert seeded.sandbox.control("status")["images"] == before, done
    seeded.sandbox.control("faults", {"faults": []})
    seeded.catalog.bakeline("prune", "--apply", want=0)
    assert old not in seeded.amis_by_id()


def test_parameter_in_another_region_keeps_ami(seeded: SeededAmis) -> None:
    """A map of AMI IDs that is kept centrally, in a Region where the AMI is not."""
    ssm = seeded.sandbox.client("ssm", OTHER_REGION)
    for held in (json.dumps({seeded.sandbox.region: "AMI"}), "ami-00000000000000009,AMI", "AMI"):
        old = seeded.add("base", 10)
        ssm.put_parameter(Name="/central/amis", Value=held.replace("AMI", old), Type="String", Overwrite=True)
        verdict, reason = seeded.prune_decision(old)
        assert verdict == "stays" and f"parameter /central/amis in {OTHER_REGION}" in reason, (verdict, reason)
        seeded.catalog.bakeline("prune", "--apply", want=0)
        assert old in seeded.amis_by_id()
        ssm.delete_parameter(Name="/central/amis")
        seeded.catalog.bakeline("prune", "--apply", want=0)
        assert old not in seeded.amis_by_id()


def test_unreadable_parameters_of_a_region_stop_at_deprecation(seeded: SeededAmis) -> None:
    old = seeded.add("base", 10)
    fault = {"action": "DescribeParameters", "code": "AccessDeniedException", "status": 400, "region": OTHER_REGION}
    seeded.sandbox.control("faults", {**fault, "times": 10_000})
    for _ in range(2):
        done = seeded.catalog.bakeline("prune", "--apply", want=4)
        assert OTHER_REGION in done.err and "DescribeParameters" in done.err, done
        assert seeded.amis_by_id()[old]["State"] == "available"
    assert "DeprecationTime" in seeded.amis_by_id()[old], "deprecation affects no user"
    seeded.sandbox.control("faults", {"faults": []})
    seeded.catalog.bakeline("prune", "--apply", want=0)
    assert old not in seeded.amis_by_id()


def test_lists_of_an_account_are_read_in_pages(seeded: SeededAmis) -> None:
    """EC2 answers a call without a page size with everything, and slowly. botocore knows which calls have pages."""
    ec2 = seeded.sandbox.client("ec2")
    ec2.create_launch_template(LaunchTemplateName="other", LaunchTemplateData={"ImageId": "ami-00000000000000009"})
    seeded.add("base", 10)
    paged = set()
    with Gateway(seeded.sandbox.env["AWS_ENDPOINT_URL"]) as gateway:
        for command in ("prune", "sweep"):
            seeded.catalog.bakeline(command, env={"AWS_ENDPOINT_URL": gateway.url}, want=0)
        actions = {
            dict(parse_qsl(request.body.decode("utf-8", "replace"))).get("Action") for request in gateway.requests
        }
        for action in ec2.meta.service_model.operation_names:
            members = ec2.meta.service_model.operation_model(action).input_shape
            if action not in actions or members is None or "MaxResults" not in members.members:
                continue
            for call in gateway.forms(action):
                by_id = [name for name in call if re.fullmatch(r"\w+Id\.1|LaunchTemplateId", name)]
                assert "MaxResults" in call or by_id, call
            paged.add(action)
    expected = {"DescribeImages", "DescribeInstances", "DescribeSnapshots", "DescribeVolumes", "DescribeSecurityGroups"}
    assert expected | {"DescribeLaunchTemplates"} <= paged, paged


def create_shared_catalog(sandbox: Sandbox, tmp_path: Path) -> Catalog:
    """Creates a catalog with an environment in two accounts."""
    sandbox.reset()
    ladder = [{"name": "Test", "accounts": [OWN, OTHER], "role": ROLE}]
    project = {"retention": RETENTION, "brakes": {"percent": 100}, "environments": ladder}
    catalog = Catalog(sandbox, tmp_path / "denied", "denied", regions=[sandbox.region], **project)
    catalog.image("base", source=VENDOR)
    return catalog


@pytest.mark.parametrize(
    "action",
    [
        "DescribeInstances",
        "DescribeLaunchTemplates",
        "DescribeLaunchConfigurations",
        "DescribeImageReferences",
        "DescribeImageAttribute",
    ],
)
def test_denied_account_keeps_its_amis_and_no_others(sandbox: Sandbox, tmp_path: Path, action: str) -> None:
    catalog = create_shared_catalog(sandbox, tmp_path)
    seeded, observer = SeededAmis(sandbox, catalog), CloudObserver(sandbox, "denied")
    old, theirs = seeded.add("base", 10), seeded.add("base", 10, account=OTHER)
    seeded.add("base", 20, {"bakeline:current": HERE})
    seeded.add("base", 20, {"bakeline:current": HERE}, account=OTHER)
    other = observer.client("ec2", (OTHER, sandbox.region))

    def read(ami: str) -> dict[str, object]:
        [found] = other.describe_images(ImageIds=[ami], IncludeDisabled=True)["Images"]
        return found

    fault = {"action": action, "code": "UnauthorizedOperation", "status": 403, "account": OTHER, "times": 10_000}
    sandbox.control("faults", {"faults": [fault]})
    try:
        before = read(theirs)
        dry = catalog.bakeline("prune", want=0)
        assert f"account {OTHER}, {sandbox.region}" in dry.err and action in dry.err, dry
        assert "grant the action" in dry.err, "the message names the next step"
        done = catalog.bakeline("prune", "--apply", want=4)
        assert f"account {OTHER}, {sandbox.region}" in done.err and action in done.err, done
        assert old not in seeded.amis_by_id(), "the own account is not held up"
        assert read(theirs) == before
    finally:
        sandbox.control("faults", {"faults": []})
    catalog.bakeline("prune", "--apply", want=0)
    assert not other.describe_images(Owners=["self"], Filters=[{"Name": "image-id", "Values": [theirs]}])["Images"]


def test_sweep_fails_and_names_a_location_that_it_cannot_list(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = create_shared_catalog(sandbox, tmp_path)
    observer, its = (
        CloudObserver(sandbox, "denied"),
        {"catalog": "denied", "run": "dead", "expires": "2026-01-05T00:00:00Z"},
    )
    clients = {account: observer.client("ec2", (account, sandbox.region)) for account in (OWN, OTHER)}
    specification = {"ResourceType": "key-pair", "Tags": [{"Key": f"bakeline:{k}", "Value": v} for k, v in its.items()]}
    for ec2 in clients.values():
        ec2.create_key_pair(KeyName="dead", TagSpecifications=[specification])
    left = lambda account: [pair["KeyName"] for pair in clients[account].describe_key_pairs()["KeyPairs"]]
    assert "dead" in left(OWN) and "dead" in left(OTHER)
    action = "DescribeVolumes"
    fault = {"action": action, "code": "UnauthorizedOperation", "status": 403, "account": OTHER, "times": 10_000}
    sandbox.control("faults", {"faults": [fault]})
    try:
        for words in (("sweep",), ("sweep", "--json"), ("sweep", "--apply")):
            assert "dead" in left(OWN)
            done = catalog.bakeline(*words, want=4)
            assert f"could not list {OTHER}.{sandbox.region}" in done.err and action in done.err, done
        assert "dead" not in left(OWN), "the other location is swept"
        assert "dead" in left(OTHER)
    finally:
        sandbox.control("faults", {"faults": []})
    catalog.bakeline("sweep", "--apply", want=0)
    assert "dead" not in left(OTHER)
