"""The whole thing for real: up, a layered packer build, ssh, a crash, down, nothing left. Run with `-m real` as root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.real
STORE = Path(os.environ.get("BAKELINE_SANDBOX_TEST_DIR", "/var/lib/bakeline-sandbox-tests-api"))
FAST = {"Delay": 1, "MaxAttempts": 300}


def sandbox(*words: str) -> str:
    command = [sys.executable, "-m", "bakeline_sandbox", words[0], "--dir", str(STORE), *words[1:]]
    return subprocess.run(
        command, cwd=Path(__file__).parent.parent, check=True, stdout=subprocess.PIPE, text=True, timeout=3000
    ).stdout


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    if os.geteuid() or not shutil.which("packer"):
        pytest.skip("needs root and packer")
    state = json.loads(sandbox("up", "--json"))
    lines = Path(state["env"]).read_text().splitlines()
    yield dict(line.split("=", 1) for line in [*lines, f"LOG={state['logs']['api']}"])
    sandbox("down")
    assert sorted(path.name for path in STORE.iterdir()) == ["cache"]
    assert str(STORE) not in Path("/proc/mounts").read_text()
    assert str(STORE) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def client(env: dict[str, str]) -> Any:
    keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("ec2", region_name=env["AWS_REGION"], endpoint_url=env["AWS_ENDPOINT_URL"], **keys)


def packer(env: dict[str, str], folder: Path, name: str, source: str, owner: str, script: list[str]) -> str:
    found = {"filters": {"name": source, "root-device-type": "ebs"}, "owners": [owner], "most_recent": True}
    builder = {
        "region": env["AWS_REGION"], "custom_endpoint_ec2": env["AWS_ENDPOINT_URL"], "skip_credential_validation": True, "skip_metadata_api_check": True,
        "skip_region_validation": True, "ami_name": name, "instance_type": "t3.micro", "ssh_username": "admin", "ssh_interface": "private_ip", "source_ami_filter": found,
        "aws_polling": {"delay_seconds": 1, "max_attempts": 300}, "run_tags": {"run": "1"}, "tags": {"Stage": "test"}, "snapshot_tags": {"Stage": "test"},
        "ami_regions": [env["AWS_REGION"], "us-west-2"], "force_deregister": True, "force_delete_snapshot": True,
    }  # fmt: skip
    build = {"sources": ["source.amazon-ebs.x"], "provisioner": [{"shell": {"inline": script}}]}
    template = folder / f"{name}.pkr.json"
    template.write_text(json.dumps({"source": {"amazon-ebs": {"x": builder}}, "build": [build]}))
    done = subprocess.run(
        ["packer", "build", "-color=false", str(template)],
        env={**os.environ, **env, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_layered_builds(env: dict[str, str], tmp_path: Path) -> None:
    packer(env, tmp_path, "layer-one", "debian-12-*", "136693071363", ["echo one | sudo tee /etc/one"])
    for _ in range(2):
        said = packer(
            env,
            tmp_path,
            "layer-two",
            "layer-one",
            "self",
            ["cat /etc/one", "echo two | sudo tee /etc/two", "systemctl is-system-running --wait || true"],
        )
    assert "one" in said
    ec2 = client(env)
    image = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["layer-two"]}])["Images"][0][
        "ImageId"
    ]
    assert launched(ec2, image, tmp_path / "key", "cat /etc/one /etc/two") == "one\ntwo\n"
    copy_in_another_account(env, image, tmp_path / "other")


def launched(ec2: Any, image: str, key: Path, command: str) -> str:
    """What a command prints on a fresh instance."""
    key.write_text(ec2.create_key_pair(KeyName="real", KeyType="ed25519")["KeyMaterial"])
    key.chmod(0o600)
    group = ec2.create_security_group(GroupName="real", Description="ssh")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    options = {"ImageId": image, "InstanceType": "t3.micro", "KeyName": "real", "SecurityGroupIds": [group]}
    run = ec2.run_instances(**options, MinCount=1, MaxCount=1)["Instances"][0]
    ec2.get_waiter("instance_running").wait(InstanceIds=[run["InstanceId"]], WaiterConfig=FAST)
    words = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectionAttempts=20", "LogLevel=ERROR"]
    ssh = ["ssh", "-i", str(key), *(f"-o{word}" for word in words), f"admin@{run['PrivateIpAddress']}", command]
    for _ in range(100):
        done = subprocess.run(ssh, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        subprocess.run(["sleep", "0.5"], check=True)
    ec2.terminate_instances(InstanceIds=[run["InstanceId"]])
    return done.stdout


def copy_in_another_account(env: dict[str, str], image: str, key: Path) -> None:
    """An AMI shared with another account is copied there to another Region, outlives its source, and boots."""
    other, ec2 = "210987654321", client(env)
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": other}]})
    source = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    permission = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": [other]}
    ec2.modify_snapshot_attribute(SnapshotId=source, **permission)
    keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    sts = boto3.client("sts", region_name=env["AWS_REGION"], endpoint_url=env["AWS_ENDPOINT_URL"], **keys)
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{other}:role/real", RoleSessionName="real")["Credentials"]
    theirs = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"]}
    theirs["aws_session_token"] = role["SessionToken"]
    there = boto3.client("ec2", region_name="eu-west-1", endpoint_url=env["AWS_ENDPOINT_URL"], **theirs)
    copy = there.copy_image(Name="copy", SourceImageId=image, SourceRegion=env["AWS_REGION"])["ImageId"]
    there.get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig=FAST)
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert launched(there, copy, key, "cat /etc/two") == "two\n"
    accounts = {json.loads(line)["account"] for line in Path(env["LOG"]).read_text().splitlines()}
    assert accounts >= {other, "123456789012"}


def test_crash_then_up(env: dict[str, str]) -> None:
    state = json.loads(sandbox("status", "--json"))
    assert state["images"]
    os.kill(state["pid"], signal.SIGKILL)
    again = json.loads(sandbox("up", "--json"))
    assert (again["images"], again["instances"]) == ([], {})
    os.kill(again["pid"], signal.SIGSTOP)
