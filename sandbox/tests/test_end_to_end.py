"""Tests the complete local EC2: up, layered Packer builds, SSH, a crash, and down.

Run with `-m real` as root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.real
STATE_DIR = Path(os.environ.get("BAKELINE_SANDBOX_TEST_DIR", "/var/lib/bakeline-sandbox-tests-api"))
ACCOUNT, OTHER_ACCOUNT, VENDOR_ACCOUNT = "123456789012", "210987654321", "136693071363"
WAITER_CONFIG = {"Delay": 1, "MaxAttempts": 300}
SSH_OPTIONS = (
    "-oStrictHostKeyChecking=no",
    "-oUserKnownHostsFile=/dev/null",
    "-oConnectionAttempts=20",
    "-oLogLevel=ERROR",
)


def run_sandbox(*arguments: str) -> str:
    """Runs a command of the local EC2 and returns its standard output."""
    name, *options = arguments
    command = [sys.executable, "-m", "bakeline_sandbox", name, "--dir", str(STATE_DIR), *options]
    package_dir = Path(__file__).parent.parent
    completed = subprocess.run(
        command, cwd=package_dir, check=True, stdout=subprocess.PIPE, text=True, timeout=3000
    )
    return completed.stdout


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    if os.geteuid() or not shutil.which("packer"):
        pytest.skip("needs root and packer")
    state = json.loads(run_sandbox("up", "--json"))
    lines = Path(state["env"]).read_text().splitlines()
    yield dict(line.split("=", 1) for line in [*lines, f"LOG={state['logs']['api']}"])
    run_sandbox("down")
    assert sorted(path.name for path in STATE_DIR.iterdir()) == ["cache"]
    assert str(STATE_DIR) not in Path("/proc/mounts").read_text()
    ps = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(STATE_DIR) not in ps.stdout


def create_client(environment: dict[str, str], service: str = "ec2") -> Any:
    return boto3.client(
        service,
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def run_packer(
    environment: dict[str, str],
    folder: Path,
    name: str,
    source: str,
    owner: str,
    script: list[str],
) -> str:
    """Builds an AMI with Packer and returns its output."""
    region = environment["AWS_REGION"]
    builder = {
        "region": region,
        "custom_endpoint_ec2": environment["AWS_ENDPOINT_URL"],
        "skip_credential_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "ami_name": name,
        "instance_type": "t3.micro",
        "ssh_username": "admin",
        "ssh_interface": "private_ip",
        "source_ami_filter": {
            "filters": {"name": source, "root-device-type": "ebs"},
            "owners": [owner],
            "most_recent": True,
        },
        "aws_polling": {"delay_seconds": 1, "max_attempts": 300},
        "run_tags": {"run": "1"},
        "tags": {"Stage": "test"},
        "snapshot_tags": {"Stage": "test"},
        "ami_regions": [region, "us-west-2"],
        "force_deregister": True,
        "force_delete_snapshot": True,
    }
    provisioner = [{"shell": {"inline": script}}]
    build = {"sources": ["source.amazon-ebs.x"], "provisioner": provisioner}
    template = folder / f"{name}.pkr.json"
    content = {"source": {"amazon-ebs": {"x": builder}}, "build": [build]}
    template.write_text(json.dumps(content))
    completed = subprocess.run(
        ["packer", "build", "-color=false", str(template)],
        env={**os.environ, **environment, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-3000:]
    return completed.stdout


def test_packer_builds_layered_images(environment: dict[str, str], tmp_path: Path) -> None:
    script = ["echo one | sudo tee /etc/one"]
    run_packer(environment, tmp_path, "layer-one", "debian-12-*", VENDOR_ACCOUNT, script)
    script = [
        "cat /etc/one",
        "echo two | sudo tee /etc/two",
        "systemctl is-system-running --wait || true",
    ]
    for _ in range(2):
        output = run_packer(environment, tmp_path, "layer-two", "layer-one", "self", script)
    assert "one" in output
    ec2 = create_client(environment)
    filters = [{"Name": "name", "Values": ["layer-two"]}]
    image = ec2.describe_images(Owners=["self"], Filters=filters)["Images"][0]["ImageId"]
    assert run_on_instance(ec2, image, tmp_path / "key", "cat /etc/one /etc/two") == "one\ntwo\n"
    check_copy_in_other_account(environment, image, tmp_path / "other")


def run_on_instance(ec2: Any, image: str, key: Path, command: str) -> str:
    """Returns the output of a command on a new instance."""
    key.write_text(ec2.create_key_pair(KeyName="real", KeyType="ed25519")["KeyMaterial"])
    key.chmod(0o600)
    group = ec2.create_security_group(GroupName="real", Description="ssh")["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    instance = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        KeyName="real",
        SecurityGroupIds=[group],
        MinCount=1,
        MaxCount=1,
    )["Instances"][0]
    ids, host = [instance["InstanceId"]], instance["PrivateIpAddress"]
    ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig=WAITER_CONFIG)
    ssh = ["ssh", "-i", str(key), *SSH_OPTIONS, f"admin@{host}", command]
    for _ in range(100):
        completed = subprocess.run(ssh, capture_output=True, text=True, check=False)
        if completed.returncode == 0:
            break
        time.sleep(0.5)
    ec2.terminate_instances(InstanceIds=ids)
    return completed.stdout


def check_copy_in_other_account(environment: dict[str, str], image: str, key: Path) -> None:
    """Copies a shared AMI to another account and Region; the copy must boot without its source."""
    ec2, sts = create_client(environment), create_client(environment, "sts")
    permission: dict[str, Any] = {"Add": [{"UserId": OTHER_ACCOUNT}]}
    ec2.modify_image_attribute(ImageId=image, LaunchPermission=permission)
    description = ec2.describe_images(ImageIds=[image])["Images"][0]
    ec2.modify_snapshot_attribute(
        SnapshotId=description["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"],
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=[OTHER_ACCOUNT],
    )
    arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/real"
    role = sts.assume_role(RoleArn=arn, RoleSessionName="real")["Credentials"]
    other_ec2 = boto3.client(
        "ec2",
        region_name="eu-west-1",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    source = {"SourceImageId": image, "SourceRegion": environment["AWS_REGION"]}
    copy = other_ec2.copy_image(Name="copy", **source)["ImageId"]
    other_ec2.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig=WAITER_CONFIG)
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert run_on_instance(other_ec2, copy, key, "cat /etc/two") == "two\n"
    entries = [json.loads(line) for line in Path(environment["LOG"]).read_text().splitlines()]
    assert {entry["account"] for entry in entries} >= {OTHER_ACCOUNT, ACCOUNT}


def test_up_replaces_killed_server(environment: dict[str, str]) -> None:
    state = json.loads(run_sandbox("status", "--json"))
    assert state["images"]
    os.kill(state["pid"], signal.SIGKILL)
    restarted = json.loads(run_sandbox("up", "--json"))
    assert (restarted["images"], restarted["instances"]) == ([], {})
    os.kill(restarted["pid"], signal.SIGSTOP)  # `down` must end a server that does not react
