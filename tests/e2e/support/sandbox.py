"""Controls the local EC2 of a test session: started once, reset between modules, stopped at the end."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import boto3

from .packers import Packer
from .run import BAKELINE, HANG, REPO, run

SHARED = Path("/var/lib/bakeline-sandbox")
# Each checkout has a directory of its own, so that tests of two checkouts do not reset each other's sandbox.
CHECKOUT = f"/var/lib/{zlib.crc32(bytes(REPO)):08x}-bakeline-sandbox-tests"
FIRST = Path(os.environ.get("BAKELINE_SANDBOX_DIR", CHECKOUT))
# Runs all tests under the conditions of AWS (sandbox/README.md, "Realistic conditions").
REALISTIC = os.environ.get("BAKELINE_REALISTIC") == "1"
READING = ("Decode", "Describe", "Get", "List", "Head", "Search", "GET", "HEAD")


def clean_env() -> dict[str, str]:
    """Returns the environment without settings of AWS, bakeline or Packer."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "BAKELINE", "PACKER", "PKR_"))}


def sandbox_directory() -> Path:
    """Returns the sandbox directory of this worker. No directory name is a prefix of another."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return FIRST if worker == "gw0" else FIRST.with_name(f"{worker}-{FIRST.name}")


class Sandbox:
    """A local EC2 with its own directory."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.status: dict[str, Any] = {}
        self.env: dict[str, str] = {}
        self.packer: Packer | None = None

    def command(self, *words: str, want: int | None = 0) -> str:
        env = {**clean_env(), "BAKELINE_SANDBOX_DIR": str(self.dir)}
        return run([BAKELINE, "sandbox", *words], REPO, env, timeout=3 * HANG, want=want).out

    def up(self, *options: str) -> None:
        """Starts it."""
        self.command("up", *options)
        self.read()

    def up_with_vendor_roots(self) -> None:
        """Starts it with the vendor roots of an existing cache. Another worker may be building roots there, as hidden directories."""
        there = [at / "cache" for at in (SHARED, FIRST) if at != self.dir]
        complete = [sorted(cache.glob("[!.]*-*")) for cache in there]
        roots = next((found for found in complete if found), [])
        if roots and not (self.dir / "cache").exists():
            part = self.dir / "cache.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            subprocess.run(["cp", "-a", *map(str, roots), str(part)], check=True)
            part.rename(self.dir / "cache")
        self.up()

    def read(self) -> None:
        """Reads addresses and keys from both forms of `status`."""
        self.status = json.loads(self.command("status", "--json"))
        words = shlex.split(self.command("status", "--env"))
        exports = dict(word.split("=", 1) for word in words if "=" in word)
        # With the defaults, ten attempts in adaptive mode, each persistent fault would take minutes.
        limits = {} if REALISTIC else {"AWS_MAX_ATTEMPTS": "4", "AWS_RETRY_MODE": "standard"}
        self.env = {**clean_env(), **exports, **limits, "BAKELINE_SANDBOX_DIR": str(self.dir)}
        if self.packer:
            self.env |= self.packer.environment(self.env)

    def down(self) -> None:
        self.command("down")

    def reset(self) -> None:
        self.command("reset")
        self.read()
        if REALISTIC:
            # Packer 1.6.6 cannot require IMDSv2.
            self.control("realistic", {"on": True, "imdsv2": False})

    def settle(self) -> None:
        """Makes everything visible that a test has prepared or a command has left."""
        if REALISTIC:
            self.control("settle", {})

    @property
    def region(self) -> str:
        return self.env["AWS_REGION"]

    def client(self, service: str, region: str | None = None, **more: Any) -> Any:
        """Returns a boto3 client that ignores the environment and sees everything that exists."""
        keys = {
            "aws_access_key_id": self.env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.env["AWS_SECRET_ACCESS_KEY"],
        }
        endpoint = self.env["AWS_ENDPOINT_URL"]
        client = boto3.client(service, region or self.region, endpoint_url=endpoint, **{**keys, **more})
        client.meta.events.register("before-call", lambda **_: self.settle())
        return client

    def api(self, mark: int = 0) -> list[dict[str, Any]]:
        """Returns the API calls from number `mark` on."""
        return _lines(Path(self.status["logs"]["api"]))[mark:]

    def mark(self) -> int:
        return len(self.api())

    def changes(self, mark: int) -> list[str]:
        """Returns the actions of all calls since `mark` that change something. A dry run changes nothing."""
        calls = [call for call in self.api(mark) if not call["dry_run"]]
        return [call["action"] for call in calls if not str(call["action"]).startswith(READING)]

    def slack(self) -> list[dict[str, Any]]:
        return _lines(Path(self.status["logs"]["slack"]))

    def control(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Calls the control API: POST with a body, GET without."""
        request = urllib.request.Request(
            f"{self.env['AWS_ENDPOINT_URL']}/_bakeline/control/{verb}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Bakeline-Key": self.env["AWS_ACCESS_KEY_ID"], "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=HANG) as answer:
            assert answer.status == 200
            return dict(json.load(answer))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Shared:
    """The sandbox of a test session. If it was running before, it keeps running."""

    sandbox: Sandbox | None = None
    users = 0
    found_up = False

    @classmethod
    def take(cls) -> Sandbox:
        if cls.sandbox is None:
            for tool in ("packer", "ssh"):
                assert shutil.which(tool), f"{tool} is missing: run scripts/packages.sh"
            sandbox = Sandbox(sandbox_directory())
            cls.found_up = bool(json.loads(sandbox.command("status", "--json", want=None) or "{}").get("up"))
            sandbox.up_with_vendor_roots()
            cls.sandbox = sandbox
        cls.users += 1
        return cls.sandbox

    @classmethod
    def leave(cls) -> None:
        cls.users -= 1
        if cls.users == 0 and cls.sandbox is not None:
            if not cls.found_up:
                cls.sandbox.down()
            cls.sandbox = None
