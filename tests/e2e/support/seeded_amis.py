"""Creates AMIs with the tags of a release through the sandbox's control API, without builds."""

from __future__ import annotations

import json
from typing import Any

from .catalog import Catalog
from .sandbox import Sandbox

HERE = "Test=2026-01-20T00:00:00Z"


class SeededAmis:
    """AMIs of one catalog, created without builds."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog) -> None:
        self.sandbox, self.catalog, self.made = sandbox, catalog, 0

    def add(self, image: str, day: int, more: dict[str, str] | None = None, **facts: Any) -> str:
        """Creates an AMI of January 2026. `more` overrides tags."""
        self.made += 1
        ami = f"ami-{self.made:017x}"
        own = {
            "bakeline:schema": "1",
            "bakeline:catalog": self.catalog.name,
            "bakeline:self": ami,
            "bakeline:image": image,
            "bakeline:version": f"202601{day:02}.1",
            "bakeline:arch": "x86_64",
            "bakeline:state": "released",
            "Environment": "Test",
            **(more or {}),
        }
        name = f"{self.catalog.name}/{image}/x86_64/202601{day:02}.1-{self.made}"
        created = f"2026-01-{day:02}T06:00:00Z"
        region = self.sandbox.region
        self.sandbox.control(
            "images", [{"id": ami, "name": name, "region": region, "created": created, "tags": own, **facts}]
        )
        return ami

    def amis_by_id(self) -> dict[str, dict[str, Any]]:
        self.sandbox.settle()
        found = self.sandbox.client("ec2").describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
        return {ami["ImageId"]: ami for ami in found}

    def prune_decision(self, ami: str) -> tuple[str, str]:
        """Returns the decision of prune for an AMI, and the reasons that keep it."""
        listed = json.loads(self.catalog.bakeline("prune", "--json", want=0).out)
        [fate] = [one for one in listed if one["ami"] == ami]
        keeps = "; ".join(answer["because"] for answer in fate["answers"] if answer["keeps"])
        return ("goes" if fate["retire"] else "stays"), keeps
