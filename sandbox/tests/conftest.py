"""One server with a fake backend for all API tests, empty before each."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from fake import FakeBackend

REGION = "eu-central-1"


class Api:
    """The running sandbox, its fake backend and clients of it."""

    def __init__(self, sandbox: Any, backend: FakeBackend) -> None:
        self.sandbox, self.backend = sandbox, backend
        self.made: dict[tuple[str, ...], Any] = {}

    def client(self, service: str, region: str = REGION, **keys: str) -> Any:
        keys = keys or {"aws_access_key_id": self.sandbox.key, "aws_secret_access_key": self.sandbox.secret}
        name = (service, region, *keys.values())
        if name not in self.made:
            config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=300)
            self.made[name] = boto3.client(
                service, region_name=region, endpoint_url=self.sandbox.endpoint, config=config, **keys
            )
        return self.made[name]

    def account(self, number: str, service: str = "ec2", region: str = REGION) -> Any:
        role = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{number}:role/test", RoleSessionName="test")[
            "Credentials"
        ]
        names = {
            "aws_access_key_id": "AccessKeyId",
            "aws_secret_access_key": "SecretAccessKey",
            "aws_session_token": "SessionToken",
        }
        return self.client(service, region, **{name: role[member] for name, member in names.items()})

    def control(self, verb: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.sandbox.endpoint}/_bakeline/control/{verb}", headers={"X-Bakeline-Key": self.sandbox.key}
        )
        if body is not None:
            request.data, request.method = json.dumps(body).encode(), "POST"
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def until(self, check: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (result := check()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)
        return result

    def vendor(self, name: str = "debian-12-*", region: str = REGION) -> str:
        found = self.client("ec2", region).describe_images(
            Owners=["136693071363"], Filters=[{"Name": "name", "Values": [name]}]
        )["Images"]
        return max(found, key=lambda image: image["CreationDate"])["ImageId"]

    def run(self, state: str = "running", ec2: Any = None, **options: Any) -> str:
        ec2 = ec2 or self.client("ec2")
        wanted = {
            "ImageId": options.pop("ImageId", None) or self.vendor(),
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            **options,
        }
        instance = ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
        self.instance(instance, state, ec2)
        return instance

    def instance(self, instance_id: str, state: str, ec2: Any = None) -> dict[str, Any]:
        def now() -> Any:
            found = (ec2 or self.client("ec2")).describe_instances(InstanceIds=[instance_id])["Reservations"][0][
                "Instances"
            ][0]
            return found if found["State"]["Name"] == state else None

        return self.until(now)

    def image(self, name: str, state: str = "available", instance: str | None = None, **options: Any) -> str:
        ec2 = self.client("ec2")
        image = ec2.create_image(InstanceId=instance or self.run(), Name=name, **options)["ImageId"]
        self.until(lambda: self.look(image)["State"] == state)
        return image

    def look(self, image: str, region: str = REGION, **options: Any) -> dict[str, Any]:
        return self.client("ec2", region).describe_images(ImageIds=[image], **options)["Images"][0]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    from bakeline_sandbox.server import Sandbox
    from bakeline_sandbox.store import Store

    backend, store = FakeBackend(), Store(tmp_path_factory.mktemp("store"))
    store.run.mkdir()
    sandbox = Sandbox(backend, store, lambda release, serial: f"{release}-{serial}", pending=0.05)
    sandbox.start()
    yield Api(sandbox, backend)
    sandbox.stop()


@pytest.fixture
def api(server: Api) -> Iterator[Api]:
    server.backend.clear()
    yield server
    for gate in server.backend.gates.values():
        gate.set()
    server.backend.clear()
    server.control("reset", {})
