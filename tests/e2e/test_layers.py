"""Layered builds, judged from the outside: nonces of each layer, keys, identities, secrets and the one Slack message."""

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
from support.instance import Guest, guest
from support.inventory import command_lines
from support.run import HANG
from support.sandbox import Sandbox

LAYERS = ("ground", "middle", "roof")


@dataclass
class Spy:
    """Samples argv of every process and the private keys that lie in the run directory."""

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
    """Every private key in a file, be it the key's own or one that quotes it (user data does)."""
    whole = r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n.*?-----END [A-Z ]*PRIVATE KEY-----"
    return re.findall(whole, text.replace("\\n", "\n"), re.DOTALL)


def private_lines(key: str, at: Path) -> list[str]:
    """The full lines of a private key that its public half, which anybody may see, has not."""
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
    spy: Spy
    key_pairs: set[str]


@pytest.fixture(scope="module")
def released(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    """base -> custom -> custom, as shipped (no shortcut), with canaries for secrets in the environment."""
    at = tmp_path_factory.mktemp("layers")
    with socket.socket() as closed:  # a webhook that nobody answers: its address must not show in the error either
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    canary = {
        "webhook": f"canary-{secrets.token_hex(12)}",
        "aws secret": f"CANARY{secrets.token_hex(17)}",
        "session": f"CANARYSESSION{secrets.token_hex(20)}",
        "sandbox webhook": box.env["BAKELINE_SLACK_WEBHOOK_URL"].rsplit("/", 1)[1],
    }
    hooks = [{"slack": {"webhook_env": "BAKELINE_SLACK_WEBHOOK_URL"}}, {"slack": {"webhook_env": "DEAD_WEBHOOK"}}]
    catalog = Catalog(box, at, "layers", quick=False, notifiers=hooks)
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
    spy = Spy(at)
    mark = box.mark()
    thread = threading.Thread(target=spy.watch, daemon=True)
    thread.start()
    try:
        catalog.release()
    finally:
        spy.end.set()
        thread.join(timeout=HANG)
    pairs = {call["resources"].get("KeyName", "") for call in box.api(mark) if "KeyPair" in call["action"]}
    yield Released(catalog, nonces, canary, spy, pairs)


@pytest.fixture(scope="module")
def twins(box: Sandbox, released: Released, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guest, Guest]]:
    """Two instances of what `latest` prints."""
    at = tmp_path_factory.mktemp("keys")
    image = released.catalog.latest("roof")
    with guest(box, image, at) as one, guest(box, image, at) as two:
        yield one, two


def test_an_instance_of_latest_shows_the_nonce_of_every_layer(released: Released, twins: tuple[Guest, Guest]) -> None:
    for layer, nonce in released.nonces.items():
        assert twins[0].ssh(f"cat /etc/nonces/{layer}") == nonce + "\n"


def test_parents_are_recorded_and_every_layer_is_released(released: Released) -> None:
    amis = {tags(ami)["bakeline:image"]: ami for ami in released.catalog.images()}
    assert set(amis) == set(LAYERS)
    for child, parent in (("middle", "ground"), ("roof", "middle")):
        assert tags(amis[child])["bakeline:parent"] == f"{parent}@{tags(amis[parent])['bakeline:version']}"
        assert tags(amis[child])["bakeline:base"].endswith(":" + amis[parent]["ImageId"])
        assert released.catalog.latest(child) == amis[child]["ImageId"]


def test_no_key_of_a_build_opens_the_finished_image(
    released: Released, twins: tuple[Guest, Guest], tmp_path: Path
) -> None:
    one = twins[0]
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


def test_each_instance_is_somebody_of_its_own(twins: tuple[Guest, Guest]) -> None:
    one, two = twins
    for guest_ in twins:
        guest_.ssh("cloud-init status --wait >/dev/null; true")
    machines = [guest_.ssh("cat /etc/machine-id").strip() for guest_ in twins]
    machines += [one.ssh(f"cat /etc/nonces/{layer}.machine").strip() for layer in LAYERS]
    assert all(len(machine) == 32 for machine in machines), machines
    assert len(set(machines)) == len(machines), machines
    keys = [one.host_key(), two.host_key()]
    keys += [one.ssh(f"cat /etc/nonces/{layer}.host").split()[1] for layer in LAYERS]
    assert len(set(keys)) == len(keys), "host keys travel in the image"


def test_temporary_key_pairs_and_files_are_gone(box: Sandbox, released: Released) -> None:
    assert released.key_pairs, "the API log shows no key pair"
    assert len(released.spy.keys) >= len(LAYERS), released.spy.keys.keys()
    assert {mode for mode, _ in released.spy.keys.values()} == {0o600}, released.spy.keys
    assert not [path for path in released.spy.keys if os.path.exists(path)]
    left = {pair["KeyName"] for pair in box.client("ec2").describe_key_pairs()["KeyPairs"]}
    assert not left & released.key_pairs


def test_no_secret_is_written_printed_or_passed_as_an_argument(released: Released, tmp_path: Path) -> None:
    programs = {Path(line.split("\0")[0]).name for line in released.spy.lines}
    assert {"packer", "ssh"} <= programs, programs
    wanted = {name: value.encode() for name, value in released.secrets.items()}
    for path, (_, text) in released.spy.keys.items():
        lines = [line for key in private_keys(text) for line in private_lines(key, tmp_path / "key")]
        wanted |= {f"private line {at} of {path}": line.encode() for at, line in enumerate(lines)}
    written = [path for path in released.catalog.at.rglob("*") if path.is_file()]
    assert released.catalog.run / "result.json" in written
    for name, value in wanted.items():
        assert not [path for path in written if value in path.read_bytes()], f"{name} is in a file"
        assert value.decode() not in released.catalog.last.out + released.catalog.last.err, f"{name} was printed"
        assert not [line for line in released.spy.lines if value.decode() in line], f"{name} was an argument"


def test_one_slack_message_tells_the_ids(box: Sandbox, released: Released) -> None:
    run = released.catalog.run.name
    told = [line for line in box.slack() if run in json.dumps(line)]
    assert [line["status"] for line in told] == [200], told
    text = json.dumps(told[0]["payload"])
    assert [ami["ImageId"] for ami in released.catalog.images() if ami["ImageId"] not in text] == []


def test_a_dead_webhook_is_said_and_fails_nothing(released: Released) -> None:
    assert released.catalog.last.code == 0
    said = released.catalog.last.err.lower()
    assert "slack" in said, "nothing says that one of two notifiers could not be reached"


def test_evidence_is_in_the_run_directory(released: Released) -> None:
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
