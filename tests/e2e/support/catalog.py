"""Writes small catalogs and runs bakeline in them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .run import BAKELINE, HANG, REPO, CompletedRun, run
from .sandbox import Sandbox

VENDOR = {"owner": "136693071363", "name": "debian-12-amd64-*"}
# First script of every build without apt, which takes half the time of a build with scripts only.
SHIPPED = (REPO / "templates/provision/common/prepare.sh").read_text()
PREPARE = "".join(line for line in SHIPPED.splitlines(keepends=True) if not line.startswith("update_packages"))


def literal(value: Any) -> Any:
    """Returns a value of an image file in which no text is a variable: `${` is written as `$${`."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        return {literal(key): literal(item) for key, item in value.items()}
    return value


class Catalog:
    """A directory with bakeline.yaml and images/, which is also the working directory."""

    def __init__(self, sandbox: Sandbox, at: Path, name: str, quick: bool = True, **project: Any) -> None:
        self.sandbox, self.at, self.name = sandbox, at, name
        self.env: dict[str, str] = dict(sandbox.env)
        at.mkdir(parents=True, exist_ok=True)
        settings = {
            "name": name,
            "regions": [sandbox.region],
            "environments": [{"name": "Test"}, {"name": "Prod"}],
            "notifiers": [{"slack": {"webhook_env": "BAKELINE_SLACK_WEBHOOK_URL"}}],
            **project,
        }
        self.file("bakeline.yaml", json.dumps(settings, indent=2))
        if quick:
            self.file("templates/provision/common/prepare.sh", PREPARE)
            for part in ("debian/harden", "common/harden-audit"):  # they install packages
                self.file(f"templates/provision/{part}.sh", "true\n")

    def file(self, path: str, text: str | bytes) -> Path:
        where = self.at / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(text.encode() if isinstance(text, str) else text)
        return where

    def image(self, name: str, **keys: Any) -> None:
        """Writes images/NAME.yaml; JSON is valid YAML."""
        self.file(f"images/{name}.yaml", json.dumps(keys, indent=2))

    def bakeline(
        self, *words: str, env: Mapping[str, str] | None = None, want: int | None = None, timeout: float = HANG
    ) -> CompletedRun:
        self.sandbox.settle()
        return run([BAKELINE, *words], self.at, {**self.env, **(env or {})}, timeout=timeout, want=want)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts bakeline in its own process group, as a shell does."""
        self.sandbox.settle()
        out = self.at / "out.log"
        with out.open("wb") as to:
            return subprocess.Popen(
                [BAKELINE, *words], cwd=self.at, env=self.env, stdout=to, stderr=to, start_new_session=True
            )

    def runs(self) -> list[Path]:
        return sorted((self.at / ".bakeline/runs").glob("*"), key=lambda run: run.stat().st_mtime_ns)

    def release(self, *words: str, want: int = 0) -> dict[str, dict[str, Any]]:
        """Releases, and returns the results of all images from result.json."""
        before = set(self.runs())
        self.last = self.bakeline("release", *words, want=want)
        # A sweep at the end of a release is a run of its own, without a result.
        new = [one for one in self.runs() if one not in before and (one / "result.json").exists()]
        assert len(new) == 1, f"one run directory per run, not {new}: {self.last}"
        self.run = new[0]
        result = json.loads((self.run / "result.json").read_text())
        return {image["image"]: image for image in result["images"]}

    def latest(self, image: str, env: str = "Test") -> str:
        """Returns the ID that `latest` prints, after verifying that it prints nothing else."""
        done = self.bakeline("latest", image, "--env", env, want=0)
        assert done.out.endswith("\n") and done.out.count("\n") == 1, done
        return done.out.strip()

    def images(self) -> list[dict[str, Any]]:
        """Returns the AMIs of this catalog including copies, oldest version first."""
        filters = [{"Name": "tag:bakeline:catalog", "Values": [self.name]}]
        found = self.sandbox.client("ec2").describe_images(Owners=["self"], Filters=filters)["Images"]
        return sorted(found, key=lambda ami: (tags(ami).get("bakeline:version", ""), ami["ImageId"]))


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    """Returns the tags of an EC2 resource."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def current(ami: Mapping[str, Any]) -> set[str]:
    """Returns the environments in which an AMI is current by its tags."""
    return {word.split("=")[0] for word in tags(ami).get("bakeline:current", "").split() if word}
