"""Two catalogs in one account, manual copies, references, and promotion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.inventory import list_cloud
from support.sandbox import Sandbox


@pytest.fixture(scope="module")
def pair(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, Catalog]]:
    """Returns two catalogs with an image of the same name, released at the same time."""
    made = []
    for name in ("alpha", "beta"):
        at_once = {"disable_after": "0s", "deregister_after": "0s"}
        catalog = Catalog(sandbox, tmp_path_factory.mktemp(name), name, retention=at_once, brakes={"percent": 100})
        catalog.file("scripts/web.sh", f"echo {name} > /etc/whose\n")
        check = {"command": "cat /etc/whose", "stdout": f"{name}\n"}
        catalog.image("web", source=VENDOR, scripts=["scripts/web.sh"], checks=[check])
        made.append(catalog)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda catalog: catalog.release(), made))
    yield made[0], made[1]


def version_states(catalog: Catalog) -> dict[str, tuple[str, frozenset[str], str]]:
    """Returns environment tag, current environments and state of each version."""
    return {
        tags(ami)["bakeline:version"]: (
            tags(ami).get("Environment", ""),
            frozenset(current(ami)),
            tags(ami)["bakeline:state"],
        )
        for ami in catalog.images()
        if tags(ami)["bakeline:self"] == ami["ImageId"]
    }


def pointer(sandbox: Sandbox, catalog: Catalog, env: str) -> str:
    found: str = sandbox.client("ssm").get_parameter(Name=f"/bakeline/{catalog.name}/web/{env}/x86_64")["Parameter"][
        "Value"
    ]
    return found


def test_two_catalogs_share_an_account(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> None:
    alpha, beta = pair
    [a], [b] = alpha.images(), beta.images()
    assert (alpha.latest("web"), beta.latest("web")) == (a["ImageId"], b["ImageId"])
    assert a["ImageId"] != b["ImageId"] and tags(a)["bakeline:version"] == tags(b)["bakeline:version"]
    for catalog, mine, other in ((alpha, a, b), (beta, b, a)):
        assert pointer(sandbox, catalog, "Test") == mine["ImageId"]
        for words in (("list",), ("list", "--json"), ("prune",), ("prune", "--json")):
            said = catalog.bakeline(*words, want=0).out
            assert mine["ImageId"] in said and other["ImageId"] not in said


def test_lookup_works_without_a_checkout(sandbox: Sandbox, pair: tuple[Catalog, Catalog], tmp_path: Any) -> None:
    for catalog in pair:
        outside = Catalog(sandbox, tmp_path / catalog.name, "unused")
        (outside.at / "bakeline.yaml").unlink()
        done = outside.bakeline("latest", "web", "--env", "Test", "--catalog", catalog.name, want=0)
        assert done.out == catalog.latest("web") + "\n"
        env = {"BAKELINE_ENV": "Test", "BAKELINE_CATALOG": catalog.name}
        assert outside.bakeline("latest", "web", env=env, want=0).out == done.out


def test_release_promote_release_promote(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> None:
    alpha, beta = pair
    bystander = version_states(beta)
    first = alpha.latest("web")
    [(v1, row)] = version_states(alpha).items()
    assert row == ("Test", frozenset({"Test"}), "released")
    assert alpha.bakeline("latest", "web", "--env", "Prod").code == 6

    alpha.bakeline("promote", "web", "--to", "Prod", want=0)
    assert version_states(alpha) == {v1: ("Prod", frozenset({"Test", "Prod"}), "released")}
    assert (alpha.latest("web", "Test"), alpha.latest("web", "Prod")) == (first, first)
    assert pointer(sandbox, alpha, "Prod") == first

    # A webhook that fails again and again fails no release.
    sandbox.control("slack", {"status": 500, "times": 9})
    told = len(sandbox.slack())
    alpha.release("--force")
    sandbox.control("slack", {"status": 500, "times": 0})
    answers = [line["status"] for line in sandbox.slack()[told:]]
    assert answers and set(answers) == {500}, "the webhook was never asked, or did not fail"
    assert "slack" in alpha.last.err.lower(), "the failed notification is not reported"
    second = alpha.latest("web", "Test")
    [v2] = set(version_states(alpha)) - {v1}
    assert v2.split(".")[0] == v1.split(".")[0] and int(v2.split(".")[1]) == int(v1.split(".")[1]) + 1
    assert version_states(alpha) == {
        v1: ("Prod", frozenset({"Prod"}), "released"),
        v2: ("Test", frozenset({"Test"}), "released"),
    }
    assert second != first and alpha.latest("web", "Prod") == first
    assert (pointer(sandbox, alpha, "Test"), pointer(sandbox, alpha, "Prod")) == (second, first)

    told = len(sandbox.slack())
    alpha.bakeline("promote", "web", "--to", "Prod", want=0)
    assert version_states(alpha) == {
        v1: ("Prod", frozenset(), "released"),
        v2: ("Prod", frozenset({"Test", "Prod"}), "released"),
    }
    assert (alpha.latest("web", "Test"), alpha.latest("web", "Prod")) == (second, second)
    assert pointer(sandbox, alpha, "Prod") == second
    assert [line["status"] for line in sandbox.slack()[told:]] == [200]
    # The rollback reserve stays, however little retention keeps.
    alpha.bakeline("prune", "--apply", "--keep", "1", want=0)
    assert set(version_states(alpha)) == {v1, v2}
    assert version_states(beta) == bystander


def test_promoting_twice_changes_nothing(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> None:
    alpha, _ = pair
    before, mark = list_cloud(sandbox), sandbox.mark()
    alpha.bakeline("promote", "web", "--to", "Prod", want=0)
    assert sandbox.changes(mark) == [] and list_cloud(sandbox) == before


@pytest.fixture(scope="module")
def older(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> str:
    """Returns the first version of beta, which the second has replaced."""
    _, beta = pair
    first = beta.latest("web")
    beta.release("--force")
    assert beta.latest("web") != first
    return first


def prune_decision(catalog: Catalog, image: str) -> tuple[bool, str]:
    """Returns the decision of prune for an AMI, and its reasons."""
    listed = json.loads(catalog.bakeline("prune", "--keep", "1", "--json", want=0).out)
    [one] = [entry for entry in listed if entry["ami"] == image]
    return one["retire"], "; ".join(answer["because"] for answer in one["answers"] if answer["keeps"])


@pytest.fixture
def manual_copies(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> Iterator[list[str]]:
    """Yields two manual copies of beta's current AMI. EC2 copied the tags of one; the other has a later `current` time."""
    _, beta = pair
    ec2 = sandbox.client("ec2")
    source = beta.latest("web")
    one = ec2.copy_image(Name="by-ec2", SourceImageId=source, SourceRegion=sandbox.region, CopyImageTags=True)[
        "ImageId"
    ]
    two = ec2.copy_image(Name="by-hand", SourceImageId=source, SourceRegion=sandbox.region)["ImageId"]
    [original] = [ami for ami in beta.images() if ami["ImageId"] == source]
    later = {**tags(original), "bakeline:current": "Test=2099-01-01T00:00:00Z", "bakeline:version": "20990101.1"}
    ec2.create_tags(Resources=[two], Tags=[{"Key": key, "Value": value} for key, value in later.items()])
    ec2.get_waiter("image_available").wait(ImageIds=[one, two], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    assert {one, two} < {ami["ImageId"] for ami in beta.images()}, "the copies carry the catalog's tag"
    yield [one, two]
    for image in (one, two):
        ec2.deregister_image(ImageId=image)


def test_manual_copy_is_ignored(
    sandbox: Sandbox, pair: tuple[Catalog, Catalog], older: str, manual_copies: list[str]
) -> None:
    _, beta = pair
    source = beta.latest("web")
    copies = [ami for ami in beta.images() if ami["ImageId"] in manual_copies]
    name = "/bakeline/beta/web/Test/x86_64"
    sandbox.client("ssm").delete_parameter(Name=name)
    assert beta.latest("web") == source, "the tags, too, know which is the original"
    for words in (("list",), ("list", "--json"), ("prune", "--keep", "1"), ("prune", "--keep", "1", "--json")):
        said = beta.bakeline(*words, want=0).out
        assert source in said and not [image for image in manual_copies if image in said], said
    plan = beta.bakeline("plan", "--json", want=0).out
    assert "2099" not in plan and not [image for image in manual_copies if image in plan], plan
    sandbox.client("ssm").put_parameter(Name=name, Value=source, Type="String", DataType="aws:ec2:image")
    beta.bakeline("prune", "--apply", "--keep", "1", want=0)
    assert [ami for ami in beta.images() if ami["ImageId"] in manual_copies] == copies
    assert older not in [ami["ImageId"] for ami in beta.images()] or prune_decision(beta, older)[0] is False


def test_latest_falls_back_to_tags_and_ignores_copies(
    sandbox: Sandbox, pair: tuple[Catalog, Catalog], manual_copies: list[str]
) -> None:
    _, beta = pair
    ssm, name = sandbox.client("ssm"), "/bakeline/beta/web/Test/x86_64"
    source = beta.latest("web")
    assert source not in manual_copies
    beta.bakeline("prune", "--keep", "1", want=0)
    ssm.delete_parameter(Name=name)
    assert beta.latest("web") == source
    ssm.put_parameter(Name=name, Value=source, Type="String", DataType="aws:ec2:image")


def test_prune_keeps_referenced_ami_with_reason(sandbox: Sandbox, pair: tuple[Catalog, Catalog], tmp_path: Any) -> None:
    alpha, beta = pair
    ec2, ssm = sandbox.client("ec2"), sandbox.client("ssm")
    if len(beta.images()) < 2:
        beta.release("--force")
    older = beta.images()[0]["ImageId"]
    assert older != beta.latest("web")
    bystander = [(ami["ImageId"], tags(ami)) for ami in alpha.images()]
    assert prune_decision(beta, older)[0] is True, f"nothing refers to it yet, and yet: {prune_decision(beta, older)}"

    template = ec2.create_launch_template(LaunchTemplateName="theirs", LaunchTemplateData={"ImageId": older})
    assert_kept(beta, older, template["LaunchTemplate"]["LaunchTemplateId"], "theirs")
    ec2.create_launch_template_version(LaunchTemplateName="theirs", LaunchTemplateData={"ImageId": beta.latest("web")})
    assert_kept(beta, older, template["LaunchTemplate"]["LaunchTemplateId"], "theirs")
    ec2.delete_launch_template(LaunchTemplateName="theirs")

    ssm.put_parameter(Name="/theirs/ami", Value=older, Type="String")
    assert_kept(beta, older, "/theirs/ami")
    ssm.delete_parameter(Name="/theirs/ami")

    instance = ec2.run_instances(ImageId=older, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    assert_kept(beta, older, instance)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    assert_kept(beta, older, instance)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    assert [(ami["ImageId"], tags(ami)) for ami in alpha.images()] == bystander


def assert_kept(catalog: Catalog, image: str, *says: str) -> None:
    retire, because = prune_decision(catalog, image)
    assert retire is False and any(word in because for word in says), (retire, because)
    shown = catalog.bakeline("prune", "--apply", "--keep", "1", want=0)
    assert image in [ami["ImageId"] for ami in catalog.images()], shown
    assert any(word in shown.words + shown.err for word in says), shown


def test_prune_retires_only_its_own_catalog(sandbox: Sandbox, pair: tuple[Catalog, Catalog]) -> None:
    alpha, beta = pair
    ec2 = sandbox.client("ec2")
    beta.release("--force")
    old, new = beta.images()[0], beta.latest("web")
    snapshot = old["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    others = [(ami["ImageId"], tags(ami)) for ami in alpha.images()]
    before, mark = list_cloud(sandbox), sandbox.mark()
    shown = beta.bakeline("prune", "--keep", "1", want=0)
    assert old["ImageId"] in shown.out and sandbox.changes(mark) == [] and list_cloud(sandbox) == before, (
        "without --apply it only shows"
    )
    beta.bakeline("prune", "--apply", "--keep", "1", want=0)
    assert [ami["ImageId"] for ami in beta.images()] == [new] and beta.latest("web") == new
    left = [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    assert snapshot not in left and beta.images()[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] in left
    assert [(ami["ImageId"], tags(ami)) for ami in alpha.images()] == others
