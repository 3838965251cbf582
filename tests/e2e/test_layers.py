"""Layered builds: content of each layer, keys, identities, secrets and the Slack message."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.instance import Instance, running_instance
from support.inventory import command_lines
from support.run import HANG
from support.sandbox import Sandbox

LAYERS = ("ground", "middle", "roof")


@dataclass
class ProcessSpy:
    """Samples argv of every process and the private keys in the run directory."""

    at: Path
    lines: set[str] = field(default_factory=set)
    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    end: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.end.is_set():
            self.lines |= command_lines()
            for path in (self.at / ".bakeline").rglob("*"):
                try:
                    if path.is_file() and private_keys(text := path.read_text(errors="replace")):
                        self.keys[str(path)] = (path.stat().st_mode & 0o777, text)
                except OSError:
                    continue
            time.sleep(0.05)


def private_keys(text: str) -> list[str]:
    """Returns every private key in a file, including files that quote one, such as user data."""
    whole = r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n.*?-----END [A-Z ]*PRIVATE KEY-----"
    return re.findall(whole, text.replace("\\n", "\n"), re.DOTALL)


def private_lines(key: str, at: Path) -> list[str]:
    """Returns the full lines of a private key that are not in its public part."""
    at.unlink(missing_ok=True)
    at.touch(mode=0o600)
    at.write_text("\n".join(line.strip() for line in key.split("\n")) + "\n")
    told = subprocess.run(["ssh-keygen", "-y", "-f", str(at)], capture_output=True, text=True, check=True).stdout
    full = [line.strip() for line in key.split("\n")[1:-1] if len(line.strip()) >= 64]
    lines = [line for line in full if line not in told]
    assert lines, "a key without a private line"
    return lines


@dataclass
class Released:
    catalog: Catalog
    nonces: dict[str, str]
    secrets: dict[str, str]
    spy: ProcessSpy
    key_pairs: set[str]


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    """Releases base -> custom -> custom with the shipped templates and secret canaries in the environment."""
    at = tmp_path_factory.mktemp("layers")
    with socket.socket() as closed:  # a webhook without a server: the error must not show its address
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    canary = {
        "webhook": f"canary-{secrets.token_hex(12)}",
        "aws secret": f"CANARY{secrets.token_hex(17)}",
        "session": f"CANARYSESSION{secrets.token_hex(20)}",
        "sandbox webhook": sandbox.env["BAKELINE_SLACK_WEBHOOK_URL"].rsplit("/", 1)[1],
    }
    hooks = [{"slack": {"webhook_env": "BAKELINE_SLACK_WEBHOOK_URL"}}, {"slack": {"webhook_env": "DEAD_WEBHOOK"}}]
    catalog = Catalog(sandbox, at, "layers", quick=False, notifiers=hooks)
    catalog.env["DEAD_WEBHOOK"] = f"http://127.0.0.1:{port}/services/T0/B0/{canary['webhook']}"
    catalog.env["AWS_SECRET_ACCESS_KEY"] = canary["aws secret"]
    catalog.env["AWS_SESSION_TOKEN"] = canary["session"]
    nonces = {layer: secrets.token_hex(16) for layer in LAYERS}
    parent = None
    for layer in LAYERS:
        # The key pair's public half, as it is during the build, is kept to prove later that it is gone.
        catalog.file(
            f"scripts/{layer}.sh",
            f"set -eu\nprintf 'caf\\351: not UTF-8\\n'\nmkdir -p /etc/nonces\necho {nonces[layer]} > /etc/nonces/{layer}\n"
            f"cp /home/admin/.ssh/authorized_keys /etc/nonces/{layer}.builder\n"
            f"cp /etc/machine-id /etc/nonces/{layer}.machine\ncp /etc/ssh/ssh_host_ed25519_key.pub /etc/nonces/{layer}.host\n",
        )
        check = {"command": f"cat /etc/nonces/{layer}", "stdout": nonces[layer] + "\n"}
        origin = {"parent": parent} if parent else {"source": VENDOR}
        catalog.image(layer, scripts=[f"scripts/{layer}.sh"], checks=[check], **origin)
        parent = layer
    spy = ProcessSpy(at)
    mark = sandbox.mark()
    thread = threading.Thread(target=spy.watch, daemon=True)
    thread.start()
    try:
        catalog.release()
    finally:
        spy.end.set()
        thread.join(timeout=HANG)
    pairs = {call["resources"].get("KeyName", "") for call in sandbox.api(mark) if "KeyPair" in call["action"]}
    yield Released(catalog, nonces, canary, spy, pairs)


@pytest.fixture(scope="module")
def two_instances(
    sandbox: Sandbox, released: Released, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Instance, Instance]]:
    """Yields two instances of the latest AMI."""
    at = tmp_path_factory.mktemp("keys")
    image = released.catalog.latest("roof")
    with running_instance(sandbox, image, at) as one, running_instance(sandbox, image, at) as two:
        yield one, two


def test_instance_of_latest_contains_every_layer(released: Released, two_instances: tuple[Instance, Instance]) -> None:
    for layer, nonce in released.nonces.items():
        assert two_instances[0].ssh(f"cat /etc/nonces/{layer}") == nonce + "\n"


def test_parents_are_recorded_and_every_layer_is_released(released: Released) -> None:
    amis = {tags(ami)["bakeline:image"]: ami for ami in released.catalog.images()}
    assert set(amis) == set(LAYERS)
    for child, parent in (("middle", "ground"), ("roof", "middle")):
        assert tags(amis[child])["bakeline:parent"] == f"{parent}@{tags(amis[parent])['bakeline:version']}"
        assert tags(amis[child])["bakeline:base"].endswith(":" + amis[parent]["ImageId"])
        assert released.catalog.latest(child) == amis[child]["ImageId"]


def test_build_keys_do_not_open_the_image(
    released: Released, two_instances: tuple[Instance, Instance], tmp_path: Path
) -> None:
    one = two_instances[0]
    builders = [one.ssh(f"sudo cat /etc/nonces/{layer}.builder").split()[1] for layer in LAYERS]
    assert len(set(builders)) == len(LAYERS), "every build has a key pair of its own"
    allowed = one.ssh("sudo find / -xdev -name authorized_keys -exec cat {} +")
    assert one.key.name in allowed or "ssh-ed25519" in allowed, "boto3's key is there to be seen"
    assert not [key for key in builders if key in allowed]
    assert released.spy.keys, "no private key was seen during the release"
    for number, (_, text) in enumerate(released.spy.keys.values()):
        key = tmp_path / f"key{number}"
        key.touch(mode=0o600)
        key.write_text(text)
        assert one.try_ssh("true", key=key).returncode == 255, "a build's private key opens the instance"
    assert one.try_ssh("true").returncode == 0


def test_instances_have_own_identity(two_instances: tuple[Instance, Instance]) -> None:
    one, two = two_instances
    for guest_ in two_instances:
        guest_.ssh("cloud-init status --wait >/dev/null; true")
    machines = [guest_.ssh("cat /etc/machine-id").strip() for guest_ in two_instances]
    machines += [one.ssh(f"cat /etc/nonces/{layer}.machine").strip() for layer in LAYERS]
    assert all(len(machine) == 32 for machine in machines), machines
    assert len(set(machines)) == len(machines), machines
    keys = [one.host_key(), two.host_key()]
    keys += [one.ssh(f"cat /etc/nonces/{layer}.host").split()[1] for layer in LAYERS]
    assert len(set(keys)) == len(keys), "host keys travel in the image"


def test_temporary_keys_are_deleted(sandbox: Sandbox, released: Released) -> None:
    assert released.key_pairs, "the API log shows no key pair"
    assert len(released.spy.keys) >= len(LAYERS), released.spy.keys.keys()
    assert {mode for mode, _ in released.spy.keys.values()} == {0o600}, released.spy.keys
    assert not [path for path in released.spy.keys if os.path.exists(path)]
    left = {pair["KeyName"] for pair in sandbox.client("ec2").describe_key_pairs()["KeyPairs"]}
    assert not left & released.key_pairs


def test_secrets_never_reach_files_output_or_arguments(released: Released, tmp_path: Path) -> None:
    programs = {Path(line.split("\0")[0]).name for line in released.spy.lines}
    assert {"packer", "ssh"} <= programs, programs
    wanted = {name: value.encode() for name, value in released.secrets.items()}
    for path, (_, text) in released.spy.keys.items():
        lines = [line for key in private_keys(text) for line in private_lines(key, tmp_path / "key")]
        wanted |= {f"private line {at} of {path}": line.encode() for at, line in enumerate(lines)}
    history = [path for path in released.catalog.at.rglob("*") if path.is_file()]
    assert released.catalog.run / "result.json" in history
    for name, value in wanted.items():
        assert not [path for path in history if value in path.read_bytes()], f"{name} is in a file"
        assert value.decode() not in released.catalog.last.out + released.catalog.last.err, f"{name} was printed"
        assert not [line for line in released.spy.lines if value.decode() in line], f"{name} was an argument"


def test_one_slack_message_lists_ami_ids(sandbox: Sandbox, released: Released) -> None:
    run = released.catalog.run.name
    told = [line for line in sandbox.slack() if run in json.dumps(line)]
    assert [line["status"] for line in told] == [200], told
    text = json.dumps(told[0]["payload"])
    assert [ami["ImageId"] for ami in released.catalog.images() if ami["ImageId"] not in text] == []


def test_failing_webhook_is_reported_only(released: Released) -> None:
    assert released.catalog.last.code == 0
    said = released.catalog.last.err.lower()
    assert "slack" in said, "nothing says that one of two notifiers could not be reached"


def test_run_directory_contains_evidence(released: Released) -> None:
    run = released.catalog.run
    assert {"result.json", "plan.json", "journal.jsonl"} <= {path.name for path in run.iterdir()}
    before = "0" * 64
    for line in (run / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert record["prev"] == before, "each record carries the hash of the one before"
        before = record["hash"]
    for layer in LAYERS:
        for name in ("packer.log", "checks-build.json", "checks-boot.json"):
            assert (run / layer / name).stat().st_size > 0
        assert released.nonces[layer] in (run / layer / "checks-boot.json").read_text()
