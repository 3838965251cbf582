"""Creates catalogs in two Regions and a second account, and image histories without builds: the sandbox creates the AMIs
with the tags and pointers of a release and promotions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .catalog import VENDOR, Catalog
from .sandbox import Sandbox
from .state import OTHER, OWN, CloudObserver, ExpectedState, Location, VersionState

SECOND = "us-east-1"
ROLE = f"arn:aws:iam::{OTHER}:role/bakeline"


def create_catalog(sandbox: Sandbox, at: Path, name: str, **more: Any) -> Catalog:
    ladder = [{"name": "Test", "regions": [sandbox.region]}, {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE}]
    made = Catalog(sandbox, at, name, regions=[sandbox.region, SECOND], environments=ladder, **more)
    made.file("scripts/mark.sh", f"echo {name} > /etc/{name}\n")
    return made


def initial_state(sandbox: Sandbox) -> ExpectedState:
    home = (OWN, sandbox.region)
    prod: list[Location] = [home, (OWN, SECOND), (OTHER, sandbox.region), (OTHER, SECOND)]
    return ExpectedState({"Test": [home], "Prod": prod}, home)


ONE, TWO = "20260101.1", "20260102.1"
PRUNE_AT_ONCE: dict[str, Any] = {
    "retention": {"keep": 1, "reserve": 1, "disable_after": "0s", "deregister_after": "0s"},
    "brakes": {"percent": 100},
}
"""Settings with which one prune deregisters version ONE."""


class SeededHistory:
    """Images whose history is written directly into the cloud, in two Regions of two accounts."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog) -> None:
        self.sandbox, self.catalog, self.observer = sandbox, catalog, CloudObserver(sandbox, catalog.name)
        self.numbers = iter(range(10_000))

    def image(self, promoted: bool, **facts: str) -> tuple[str, ExpectedState]:
        """Creates an image with version 1 in Prod and 2 in Test, or with `promoted` also in Prod. `facts` are of all AMIs at
        home."""
        name = f"k{next(self.numbers)}"
        self.catalog.image(name, source=VENDOR, scripts=["scripts/mark.sh"])
        table = initial_state(self.sandbox)
        table.release(ONE)
        table.promote(ONE, "Prod")
        table.release(TWO)
        if promoted:
            table.promote(TWO, "Prod")
        amis, pointers = [], []
        originals = {version: f"ami-{hash((name, version)) & 0xFFFFFFFFFFFF:017x}" for version in (ONE, TWO)}
        for place in table.cells:
            for version, row in table.view(place).rows.items():
                ident = originals[version]
                if place != table.home:
                    ident = f"ami-{hash((name, version, place)) & 0xFFFFFFFFFFFF:017x}"
                its = self.tags(name, version, ident, row, originals[version] if place != table.home else None)
                account, region = place
                full = f"{self.catalog.name}/{name}/x86_64/{version}-r"
                amis.append({"id": ident, "name": full, "region": region, "tags": its})
                amis[-1].update(account=account, created=f"{version[:4]}-{version[4:6]}-{version[6:8]}T00:00:00Z")
                amis[-1].update(facts if place == table.home else {})
                pointers += [(place, env, ident) for env in row.current]
        self.sandbox.control("images", amis)  # type: ignore[arg-type]
        for place, env, ident in pointers:
            self.observer.client("ssm", place).put_parameter(
                Name=f"/bakeline/{self.catalog.name}/{name}/{env}/x86_64",
                Value=ident,
                Type="String",
                DataType="aws:ec2:image",
            )
        self.observer.assert_matches(table, name)
        return name, table

    def tags(self, name: str, version: str, ident: str, row: VersionState, origin: str | None) -> dict[str, str]:
        its = {
            "schema": "1",
            "catalog": self.catalog.name,
            "self": ident,
            "image": name,
            "version": version,
            "arch": "x86_64",
        }
        its |= {"state": row.state, "run": "r", "base": f"{self.sandbox.region}:ami-1", "recipe": "x", "checks": "x"}
        day = f"{version[:4]}-{version[4:6]}-{version[6:8]}"
        if row.current:
            its["current"] = " ".join(f"{env}={day}T00:00:00Z" for env in sorted(row.current))
        if origin:
            its["origin"] = f"{self.sandbox.region}:{origin}"
        return {f"bakeline:{key}": value for key, value in its.items()} | {"Environment": row.environment}
