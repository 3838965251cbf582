"""Tests SSM sessions: which instances accept one, and the connection through it."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from conftest import Api, assert_error

SSH = "AWS-StartSSHSession"
PROFILE = {"Name": "build"}


@pytest.fixture
def instance(api: Api) -> str:
    """Returns a running instance with an instance profile."""
    api.client("iam").create_instance_profile(InstanceProfileName="build")
    (image,) = api.add_images({"name": "one"})
    return api.run_instance(ImageId=image, IamInstanceProfile=PROFILE)


def start_session(api: Api, target: str, document: str = SSH) -> Any:
    parameters = {"portNumber": ["22"]}
    return api.client("ssm").start_session(
        Target=target, DocumentName=document, Parameters=parameters
    )


def test_session_connects_until_it_is_terminated(
    api: Api, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ssh:
        ssh.settimeout(30)
        monkeypatch.setattr(api.backend, "has_agent", lambda target: target == instance)
        address = ssh.getsockname()
        monkeypatch.setattr(api.backend, "connect", lambda *_: socket.create_connection(address))
        session = start_session(api, instance)
        host, port = session["StreamUrl"].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            server, _ = ssh.accept()
            with server:
                server.sendall(b"SSH-2.0")
                assert client.recv(7) == b"SSH-2.0"
    api.client("ssm").terminate_session(SessionId=session["SessionId"])
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=5)


def test_instances_without_agent_or_profile_accept_no_session(
    api: Api, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_error("TargetNotConnected", start_session, api=api, target=instance)
    monkeypatch.setattr(api.backend, "has_agent", lambda _: True)
    (image,) = api.add_images({"name": "two"})
    for target in (api.run_instance(ImageId=image), "i-00000000000000000"):
        assert_error("TargetNotConnected", start_session, api=api, target=target)
    wrong = {"api": api, "target": instance, "document": "AWS-RunShellScript"}
    assert_error("InvalidDocument", start_session, **wrong)
