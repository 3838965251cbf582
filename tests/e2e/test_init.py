"""A new user's first catalog: `bakeline init` in an empty directory, and then only the program and the local EC2. boto3 judges."""

from __future__ import annotations

from pathlib import Path

from support.run import BAKELINE, run
from support.sandbox import Sandbox
from support.state import OWN


def test_new_catalog_is_released_and_promoted(sandbox: Sandbox, tmp_path: Path) -> None:
    ec2 = sandbox.client("ec2")
    named = [{"Name": "tag:bakeline:catalog", "Values": ["first"]}]
    assert ec2.describe_images(Owners=["self"], Filters=named)["Images"] == []

    def bakeline(*words: str) -> str:
        return run([BAKELINE, *words], tmp_path, sandbox.env, want=0).out.strip()

    bakeline("init", "--name", "first", "--region", sandbox.region, "--account", OWN, "--os", "debian-13")
    bakeline("validate")
    plan = bakeline("plan")
    assert "debian-13" in plan and "example" in plan
    bakeline("release")
    images = {
        tag["Value"]: image
        for image in ec2.describe_images(Owners=["self"], Filters=named)["Images"]
        for tag in image["Tags"]
        if tag["Key"] == "bakeline:image"
    }
    assert set(images) == {"debian-13", "example"} and {i["State"] for i in images.values()} == {"available"}
    for name, image in images.items():
        assert bakeline("latest", name, "--env", "Test") == image["ImageId"]
    bakeline("promote", "debian-13", "example", "--to", "Prod")
    [current] = [
        tag["Value"]
        for tag in ec2.describe_images(ImageIds=[images["example"]["ImageId"]])["Images"][0]["Tags"]
        if tag["Key"] == "bakeline:current"
    ]
    assert "Prod=" in current and "Test=" in current
    assert (tmp_path / ".bakeline/.gitignore").read_text() == "*\n"
