"""Provides one server with a fake backend for all API tests; resets it after each test."""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from fake_backend import FakeBackend

REGION = "eu-central-1"
ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
VENDOR_ACCOUNT = "136693071363"


class Api:
    """Client of the server, with access to its fake backend."""

    def __init__(self, server: Any, backend: FakeBackend) -> None:
        self.server, self.backend = server, backend
        self.clients: dict[tuple[str, ...], Any] = {}

    def client(self, service: str, region: str = REGION, **keys: str) -> Any:
        """Returns a boto3 client without retries."""
        keys = keys or {
            "aws_access_key_id": self.server.access_key,
            "aws_secret_access_key": self.server.secret_key,
        }
        name = (service, region, *keys.values())
        if name not in self.clients:
            retries = {"total_max_attempts": 1, "mode": "standard"}
            self.clients[name] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.server.endpoint,
                config=Config(retries=retries, read_timeout=300),
                **keys,
            )
        return self.clients[name]

    def account_client(self, account: str, service: str = "ec2", region: str = REGION) -> Any:
        """Returns a client of another account."""
        arn = f"arn:aws:iam::{account}:role/test"
        role = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return self.client(
            service,
            region,
            aws_access_key_id=role["AccessKeyId"],
            aws_secret_access_key=role["SecretAccessKey"],
            aws_session_token=role["SessionToken"],
        )

    def control(self, name: str, body: Any = None) -> Any:
        """Calls an endpoint of the control API: POST with a body, GET without."""
        request = urllib.request.Request(
            f"{self.server.endpoint}/_bakeline/control/{name}",
            headers={"X-Bakeline-Key": self.server.access_key},
        )
        if body is not None:
            request.data, request.method = json.dumps(body).encode(), "POST"
        with urllib.request.urlopen(request, timeout=300) as response:
            return json.load(response)

    def try_control(self, name: str, body: Any) -> tuple[int, str]:
        """Calls an endpoint of the control API that must fail; returns status and error."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.control(name, body)
        return caught.value.code, json.load(caught.value)["error"]

    def vendor_image(self, name: str = "debian-12-*", region: str = REGION) -> str:
        """Returns the ID of the newest vendor AMI."""
        filters = [{"Name": "name", "Values": [name]}]
        ec2 = self.client("ec2", region)
        images = ec2.describe_images(Owners=[VENDOR_ACCOUNT], Filters=filters)["Images"]
        return max(images, key=lambda image: image["CreationDate"])["ImageId"]

    def run_instance(self, state: str = "running", ec2: Any = None, **options: Any) -> str:
        """Launches an instance and waits for a state; returns its ID."""
        ec2 = ec2 or self.client("ec2")
        parameters = {
            "ImageId": options.pop("ImageId", None) or self.vendor_image(),
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            **options,
        }
        instance = ec2.run_instances(**parameters)["Instances"][0]["InstanceId"]
        self.wait_for_instance(instance, state, ec2)
        return instance

    def wait_for_instance(self, instance: str, state: str, ec2: Any = None) -> dict[str, Any]:
        """Waits until an instance has a state; returns its description."""
        ec2 = ec2 or self.client("ec2")

        def describe() -> Any:
            reservations = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
            description = reservations[0]["Instances"][0]
            return description if description["State"]["Name"] == state else None

        return wait_until(describe)

    def create_image(
        self, name: str, state: str = "available", instance: str | None = None, **options: Any
    ) -> str:
        """Creates an AMI of an instance and waits for a state; returns its ID."""
        ec2, instance = self.client("ec2"), instance or self.run_instance()
        image = ec2.create_image(InstanceId=instance, Name=name, **options)["ImageId"]
        wait_until(lambda: self.describe_image(image)["State"] == state)
        return image

    def add_images(self, *entries: dict[str, Any]) -> list[str]:
        """Creates AMIs through the control API; returns their IDs."""
        return self.control("images", list(entries))["images"]

    def describe_image(self, image: str, region: str = REGION, **options: Any) -> dict[str, Any]:
        return self.client("ec2", region).describe_images(ImageIds=[image], **options)["Images"][0]

    def image_ids(self, ec2: Any = None, **options: Any) -> list[str]:
        """Returns the IDs of the images that DescribeImages lists."""
        images = (ec2 or self.client("ec2")).describe_images(**options)["Images"]
        return [image["ImageId"] for image in images]

    def snapshot_id(self, image: str) -> str:
        """Returns the ID of an AMI's snapshot."""
        description = self.describe_image(image, IncludeDisabled=True)
        return description["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]

    def read_log(self, name: str) -> list[dict[str, Any]]:
        """Returns the entries of a log of the server."""
        path = self.server.state_dir.run_dir / name
        return [json.loads(line) for line in path.read_text().splitlines()]


def send_request(
    api: Api, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Sends a request without boto3; returns status, body and headers with lower-case names."""
    connection = http.client.HTTPConnection("127.0.0.1", api.server.port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body.encode(), headers=sent)
    response = connection.getresponse()
    received = {name.lower(): value for name, value in response.getheaders()}
    return response.status, response.read().decode(), received


def wait_until(condition: Callable[[], Any], seconds: float = 60, every: float = 0.01) -> Any:
    """Polls a condition until its result is true; returns the result."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"condition still false after {seconds} s"
        time.sleep(every)
    return result


def error_code(call: Any, **arguments: Any) -> str:
    """Returns the code of the error that a call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def assert_error(code: str, call: Any, **arguments: Any) -> None:
    """Fails unless the call raises an error with this code."""
    assert error_code(call, **arguments) == code


def tag_specification(resource_type: str, **tags: str) -> dict[str, Any]:
    tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"ResourceType": resource_type, "Tags": tag_list}


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


@pytest.fixture(scope="session")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    from bakeline_sandbox.server import SandboxServer
    from bakeline_sandbox.state_dir import StateDirectory

    backend, state_dir = FakeBackend(), StateDirectory(tmp_path_factory.mktemp("state"))
    state_dir.run_dir.mkdir()
    server = SandboxServer(
        backend, state_dir, lambda release, serial: f"{release}-{serial}", pending_seconds=0.05
    )
    server.start()
    yield Api(server, backend)
    server.stop()


@pytest.fixture
def api(shared_api: Api) -> Iterator[Api]:
    shared_api.backend.clear()
    yield shared_api
    for gate in shared_api.backend.gates.values():
        gate.set()
    shared_api.backend.clear()
    shared_api.control("reset", {})
