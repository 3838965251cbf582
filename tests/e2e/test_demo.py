"""The shipped catalog, judged with boto3. BAKELINE_DEMO=1 or CI=true runs `make demo`, otherwise a plain release."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.catalog import current, tags
from support.run import BAKELINE, HANG, REPO, CompletedRun, run
from support.sandbox import SHARED, Sandbox

IMAGES = {
    "base-debian-12": None,
    "base-debian-13": None,
    "jdk": "base-debian-12",
    "nginx": "base-debian-13",
    "tomcat": "jdk",
}
REGION = "us-east-1"
BUILDS = {"RunInstances", "CreateImage"}
KEYS = {"CreateKeyPair", "ImportKeyPair"}
MAKE = os.environ.get("BAKELINE_DEMO") == "1" or os.environ.get("CI") == "true"
TAGS = (
    "schema",
    "catalog",
    "self",
    "image",
    "version",
    "arch",
    "state",
    "current",
    "base",
    "recipe",
    "checks",
    "run",
    "by",
)


@dataclass
class Demo:
    sandbox: Sandbox
    at: Path
    first: CompletedRun
    again: CompletedRun
    calls: list[dict[str, Any]]
    calls_again: list[dict[str, Any]]
    messages: list[dict[str, Any]]

    def bakeline(self, *words: str) -> CompletedRun:
        return run(
            [BAKELINE, *words],
            self.at,
            {**self.sandbox.env, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION},
            want=0,
        )

    def amis(self) -> dict[str, dict[str, Any]]:
        found = self.sandbox.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
        return {tags(ami)["bakeline:image"]: ami for ami in found}


@pytest.fixture(scope="module")
def demo(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Releases the catalog twice in an empty sandbox."""
    if MAKE:
        yield from _make_demo(sandbox)
        return
    mark, told = sandbox.mark(), len(sandbox.slack())  # a reset keeps the logs
    at = tmp_path_factory.mktemp("demo") / "clone"
    at.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout.split(b"\0")
    for name in (name.decode() for name in tracked if name):
        if name.split("/")[0] in ("bakeline.yaml", "images", "profiles", "templates"):
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, at / name)
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=j", "-c", "user.email=j@x", "commit", "-qm", "catalog"],
    ):
        subprocess.run(["git", *words], cwd=at, check=True)
    env = {**sandbox.env, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    first = run([BAKELINE, "release", "--jobs", "2"], at, env, timeout=3 * HANG, want=0)
    calls, messages = sandbox.api(mark), sandbox.slack()[told:]
    again = run([BAKELINE, "release", "--jobs", "2"], at, env, timeout=3 * HANG, want=0)
    yield Demo(sandbox, at, first, again, calls, sandbox.api(mark + len(calls)), messages)


def _make_demo(shared_sandbox: Sandbox) -> Iterator[Demo]:
    """Runs `make demo`, which starts its own sandbox in its own directory."""
    sandbox = Sandbox(Path(f"{shared_sandbox.dir}-demo"))
    sandbox.packer = shared_sandbox.packer
    if not (sandbox.dir / "cache").exists() and (SHARED / "cache").exists():
        sandbox.dir.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(SHARED / "cache"), str(sandbox.dir)], check=True)
    shared_sandbox.down()  # a second sandbox would need address ranges of its own
    sandbox.command("down", want=None)
    # The environment of a new user: without AWS settings, bakeline settings and variables of the shared sandbox.
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "BAKELINE"))}
    env |= {"YES": "1", "BAKELINE_SANDBOX_DIR": str(sandbox.dir)}
    env |= sandbox.packer.environment(env) if sandbox.packer else {}
    try:
        first = run(["make", "demo"], REPO, env, timeout=9 * HANG, want=0)
        sandbox.read()
        calls, messages = sandbox.api(), sandbox.slack()
        again = run(["make", "demo"], REPO, env, timeout=3 * HANG, want=0)
        yield Demo(sandbox, REPO, first, again, calls, sandbox.api(len(calls)), messages)
    finally:
        sandbox.down()
        shared_sandbox.up()


def test_five_amis_are_available_and_tagged(demo: Demo) -> None:
    amis = demo.amis()
    assert set(amis) == set(IMAGES)
    for image, ami in amis.items():
        its = tags(ami)
        assert ami["State"] == "available" and ami["Public"] is False
        missing = [name for name in TAGS if not its.get(f"bakeline:{name}")]
        assert not missing, f"{image} lacks {missing}: {its}"
        wanted = {
            "schema": "1",
            "catalog": "demo",
            "self": ami["ImageId"],
            "image": image,
            "arch": "x86_64",
            "state": "released",
        }
        assert {name: its[f"bakeline:{name}"] for name in wanted} == wanted
        assert re.fullmatch(r"20\d{6}\.1", its["bakeline:version"]) and its["Environment"] == "Test"
        assert current(ami) == {"Test"} and "bakeline:expires" not in its
        assert re.fullmatch(r"[0-9a-f]{64}", its["bakeline:recipe"]) and re.fullmatch(
            r"[0-9a-f]{64}", its["bakeline:checks"]
        )
        assert ami["Name"] == f"demo/{image}/x86_64/{its['bakeline:version']}-{its['bakeline:run']}"
        parent = IMAGES[image]
        if parent:
            assert its["bakeline:parent"] == f"{parent}@{tags(amis[parent])['bakeline:version']}"
            assert its["bakeline:base"] == f"{REGION}:{amis[parent]['ImageId']}"
        else:
            assert "bakeline:parent" not in its
    assert len({tags(ami)["bakeline:run"] for ami in amis.values()}) == 1
    assert len({tags(ami)["bakeline:recipe"] for ami in amis.values()}) == len(IMAGES)


def test_the_commit_is_recorded(demo: Demo) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=demo.at, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert {tags(ami).get("bakeline:commit", "")[:40] for ami in demo.amis().values()} == {head}


def test_snapshots_are_tagged(demo: Demo) -> None:
    ec2 = demo.sandbox.client("ec2", REGION)
    for image, ami in demo.amis().items():
        ids = [mapping["Ebs"]["SnapshotId"] for mapping in ami["BlockDeviceMappings"]]
        assert ids
        for snapshot in ec2.describe_snapshots(SnapshotIds=ids)["Snapshots"]:
            its = tags(snapshot)
            assert (its.get("bakeline:catalog"), its.get("bakeline:image")) == ("demo", image)
            assert its["bakeline:run"] == tags(ami)["bakeline:run"] and "bakeline:expires" not in its
    every = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert len(every) == len(IMAGES) and all("bakeline:run" in tags(snapshot) for snapshot in every)


def test_each_image_was_booted(demo: Demo) -> None:
    booted = [
        call["resources"].get("ImageId")
        for call in demo.calls
        if call["action"] == "RunInstances" and call["status"] == 200
    ]
    assert {ami["ImageId"] for ami in demo.amis().values()} <= set(booted)


def test_latest_agrees_with_boto3(demo: Demo) -> None:
    for image, ami in demo.amis().items():
        assert demo.bakeline("latest", image, "--env", "Test").out == ami["ImageId"] + "\n"
        name = f"/bakeline/demo/{image}/Test/x86_64"
        assert demo.sandbox.client("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"] == ami["ImageId"]


def test_first_release_prints_and_posts_ami_ids(demo: Demo) -> None:
    told = demo.messages
    assert [message["status"] for message in told] == [200], told
    for ami in demo.amis().values():
        assert ami["ImageId"] in demo.first.out + demo.first.err
        assert ami["ImageId"] in json.dumps(told[0]["payload"])


def test_second_release_builds_nothing(demo: Demo) -> None:
    before, after = ({call["action"] for call in calls} for calls in (demo.calls, demo.calls_again))
    assert before >= BUILDS and before & KEYS, f"the first built nothing either: {before}"
    assert after, "the second asked nothing at all"
    assert not after & (BUILDS | KEYS | {"CreateSecurityGroup", "CreateTags", "PutParameter"}), after
    assert demo.again.code == 0


def test_temporary_resources_are_deleted(demo: Demo) -> None:
    ec2 = demo.sandbox.client("ec2", REGION)
    instances = [one for r in ec2.describe_instances()["Reservations"] for one in r["Instances"]]
    assert instances and {one["State"]["Name"] for one in instances} == {"terminated"}
    assert ec2.describe_key_pairs()["KeyPairs"] == [] and ec2.describe_volumes()["Volumes"] == []
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_changed_variable_rebuilds_only_the_image_that_uses_it(demo: Demo, tmp_path: Path) -> None:
    before = demo.amis()
    for name in (".bakeline", "bakeline.yaml", "images"):
        copy = shutil.copytree if (demo.at / name).is_dir() else shutil.copy
        copy(demo.at / name, tmp_path / name)
    image = tmp_path / "images/nginx.yaml"
    text = image.read_text()
    assert text.count("{greeting: ") == 1
    image.write_text(re.sub(r"\{greeting: .*\}", "{greeting: The next greeting.}", text))
    env = {**demo.sandbox.env, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    planned = run([BAKELINE, "plan"], tmp_path, env, want=0)
    assert "variable greeting changed" in planned.words, planned.out
    mark = demo.sandbox.mark()
    run([BAKELINE, "release"], tmp_path, env, timeout=HANG, want=0)
    calls = [call["action"] for call in demo.sandbox.api(mark)]
    assert calls.count("CreateImage") == 1
    found = demo.sandbox.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
    new = [ami for ami in found if ami["ImageId"] not in {one["ImageId"] for one in before.values()}]
    assert [tags(ami)["bakeline:image"] for ami in new] == ["nginx"] and current(new[0]) == {"Test"}
