"""A release works with the build policies that `bakeline permissions` prints, while the local EC2 enforces them.

`make matrix` also removes each action of the role, one at a time. A release must then fail or warn, and name the action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.catalog import VENDOR
from support.enforced_roles import WRITE, EnforcedRoles, create_enforced_roles
from support.leftovers import create_leftovers, create_references
from support.missing_actions import MissingAction, assert_missing_actions_are_named, faults, record_calls, setting
from support.run import CompletedRun
from support.running_release import WAIT, kill_release, start_release
from support.sample import FULL
from support.sandbox import Sandbox
from support.seeded_history import SECOND
from support.state import OTHER, OWN

# A release ends with a sweep and prints a warning if it fails.
SWEEP = (
    *("ec2:DeleteVolume", "ec2:DescribeKeyPairs", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"),
    *("ec2:DescribeSecurityGroups", "ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"),
    *("autoscaling:DescribeLaunchConfigurations", "ec2:DescribeImageReferences"),
    *("ssm:DescribeParameters", "ssm:GetParameters"),
)
# Only newer versions of Packer's plugin look for a default subnet. Packer checks the Region only without an own endpoint.
NOT_CALLED = ("ec2:DescribeInstanceTypeOfferings", "ec2:DescribeSubnets", "ec2:DescribeRegions")
OPTIONAL = [
    *(MissingAction(account, action) for account in ("home", "environments") for action in SWEEP),
    # Outside of home, only the sweep deletes something.
    *(
        MissingAction("environments", f"ec2:{action}")
        for action in (
            "DeleteKeyPair",
            "DeleteSecurityGroup",
            "DeleteSnapshot",
            "DeregisterImage",
            "TerminateInstances",
        )
    ),
    MissingAction("home", "ec2:DeleteSnapshot"),
    # It also goes on if it cannot check the instance type or the keys, or if the launch of a copy cannot be tested.
    *(
        MissingAction("home", action)
        for action in ("ec2:DescribeInstanceTypes", "ec2:GetEbsDefaultKmsKeyId", "kms:DescribeKey")
    ),
    *(MissingAction("environments", action) for action in ("ec2:DescribeInstances", "ec2:RunInstances")),
]


@pytest.fixture(scope="module")
def enforced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> EnforcedRoles:
    test = {"name": "Test", "accounts": [OWN, OTHER], "role": WRITE, "external_id": "acme/7"}
    iam, profile = sandbox.client("iam"), {"InstanceProfileName": "acme"}
    enforced = create_enforced_roles(
        sandbox,
        tmp_path_factory.mktemp("built") / "catalog",
        environments=[test],
        builder={"instance_profile": "acme"},
    )
    iam.create_role(RoleName="acme", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(**profile)
    iam.add_role_to_instance_profile(**profile, RoleName="acme")
    return enforced


@contextmanager
def new_image(enforced: EnforcedRoles, name: str) -> Iterator[None]:
    """Adds an image to the catalog."""
    enforced.catalog.image(name, source=VENDOR, scripts=["scripts/mark.sh"])
    try:
        yield
    finally:
        (enforced.catalog.at / f"images/{name}.yaml").unlink()


def release(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """The sweep at the end of the release finds what dead runs left. The copies lose the requirement of IMDSv2."""
    create_untagged_ami(enforced)
    for account in (OWN, OTHER):
        create_leftovers(enforced, (account, enforced.sandbox.region))
        create_references(enforced, (account, enforced.sandbox.region))
    assert len(left_key_pairs(enforced)) >= 2
    with setting(enforced, "copies", {"times": 99, "imds": False}, {"times": 0}):
        yield enforced.run("build", "release", "base", "--force")


def create_untagged_ami(enforced: EnforcedRoles) -> None:
    """Creates the AMI of a build that was killed before Packer tagged it."""
    catalog = enforced.catalog
    known = catalog.at / "killed.txt"
    if not known.exists():
        catalog.file("scripts/slow.sh", WAIT)
        catalog.image("slow", source=VENDOR, scripts=["scripts/slow.sh"])
        started, run = start_release(catalog, "slow", "slow")
        kill_release(started)
        (catalog.at / "images/slow.yaml").unlink()
        files = [file.read_text(errors="replace") for file in run.rglob("*") if file.is_file()]
        [name] = {name for text in files for name in re.findall(rf"{catalog.name}/slow/x86_64/[\w.-]+", text)}
        known.write_text(name)
    name = known.read_text()
    enforced.sandbox.control("images", [{"name": name, "account": OWN, "region": enforced.sandbox.region}])  # type: ignore[arg-type]


def left_key_pairs(enforced: EnforcedRoles) -> list[str]:
    """Returns the key pairs of dead runs."""
    places = [(account, enforced.sandbox.region) for account in (OWN, OTHER)]
    clients = [enforced.history.observer.client("ec2", place) for place in places]
    pairs = [pair["KeyName"] for ec2 in clients for pair in ec2.describe_key_pairs()["KeyPairs"]]
    return [name for name in pairs if name.startswith("dead")]


def undo_release(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """The new pointers in the second Region cannot be read, so they and the copies are deleted. Then no pointer can be
    written, so the AMI is deregistered."""
    image = f"new{next(enforced.history.numbers)}"
    pointer = f"/bakeline/{enforced.catalog.name}/{image}/Test/x86_64"
    unread = {"action": "GetParameter", "follows": "PutParameter", "resource": pointer, "region": SECOND, "times": 1}
    with new_image(enforced, image):
        with faults(enforced, *({**unread, "account": account} for account in (OWN, OTHER))):
            yield enforced.run("build", "release", image)
        with faults(enforced, {"action": "PutParameter"}):
            yield enforced.run("build", "release", image, "--force")


def check_keys(enforced: EnforcedRoles) -> Iterator[CompletedRun]:
    """EBS encryption by default uses a key of the account."""
    default = {"account": OWN, "enabled": True, "kms_key": enforced.create_key()}
    with setting(enforced, "encryption", {"defaults": [default]}):
        yield enforced.run("build", "preflight", "base")


def test_release_works_with_the_printed_policies(enforced: EnforcedRoles) -> None:
    calls = record_calls(enforced, [release])
    [version] = {
        tag["Value"] for ami in enforced.catalog.images() for tag in ami["Tags"] if tag["Key"] == "bakeline:version"
    }
    assert enforced.catalog.latest("base"), version
    assert {action.account for action in calls[release]} == {"home", "environments"}
    assert left_key_pairs(enforced) == [], "the leftovers are removed"


@pytest.mark.skipif(not FULL, reason="one release for each action: `make matrix`")
def test_missing_action_is_named(enforced: EnforcedRoles) -> None:
    calls = record_calls(enforced, [release, undo_release, check_keys])
    assert_missing_actions_are_named(enforced, "build", calls, 0, OPTIONAL, NOT_CALLED)
