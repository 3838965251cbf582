"""Starts instances with boto3 and runs commands in them over SSH."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .run import HANG, wait_until
from .sandbox import Sandbox, clean_env

SSH = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]
SSH += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3"]


class Instance:
    """A running instance."""

    def __init__(self, facts: dict[str, Any], key: Path, user: str = "admin") -> None:
        self.facts, self.key, self.user = facts, key, user
        self.id: str = facts["InstanceId"]
        self.address: str = facts["PrivateIpAddress"]

    def try_ssh(
        self, command: str, key: Path | None = None, user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        line = [*SSH, "-i", str(key or self.key), f"{user or self.user}@{self.address}", command]
        env = {k: v for k, v in clean_env().items() if k != "SSH_AUTH_SOCK"}
        return subprocess.run(line, capture_output=True, text=True, timeout=HANG, env=env, check=False)

    def ssh(self, command: str) -> str:
        """Runs a command as soon as the instance accepts logins."""
        end = time.monotonic() + HANG
        while True:
            ended = self.try_ssh(command)
            if ended.returncode != 255 or time.monotonic() > end:
                assert ended.returncode == 0, f"{command!r}: exit {ended.returncode}: {ended.stdout}{ended.stderr}"
                return ended.stdout
            time.sleep(0.3)

    def host_key(self) -> str:
        scan = ["ssh-keyscan", "-T", "5", "-t", "ed25519", self.address]
        line = subprocess.run(scan, capture_output=True, text=True, check=False).stdout
        assert "ssh-ed25519" in line, f"no host key from {self.address}"
        return line.split()[2]


@contextmanager
def running_instance(
    sandbox: Sandbox, image: str, at: Path, region: str | None = None, user: str = "admin"
) -> Iterator[Instance]:
    """Yields an instance of an AMI with its own key pair and security group, and deletes all three."""
    ec2 = sandbox.client("ec2", region)
    [described] = ec2.describe_images(ImageIds=[image])["Images"]
    instance_type = "t4g.small" if described["Architecture"] == "arm64" else "t3.small"
    name = f"judge-{uuid.uuid4().hex[:8]}"
    key = at / name
    pair = ec2.create_key_pair(KeyName=name, KeyType="ed25519")
    key.touch(mode=0o600)
    key.write_text(pair["KeyMaterial"])
    os.chmod(key, 0o600)
    group = ec2.create_security_group(GroupName=name, Description="ssh for a test")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    started = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, InstanceType=instance_type, KeyName=name, SecurityGroupIds=[group]
    )
    instance = started["Instances"][0]["InstanceId"]
    try:
        yield Instance(wait_until(lambda: _running(ec2, instance), HANG, f"{instance} running"), key, user)
    finally:
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(
            InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
        ec2.delete_key_pair(KeyName=name)
        ec2.delete_security_group(GroupId=group)


def _running(ec2: Any, instance: str) -> dict[str, Any] | None:
    facts: dict[str, Any] = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return facts if facts["State"]["Name"] == "running" else None
