"""Owns catalogs in two Regions and a second account, and histories of images that nobody built: the sandbox makes the AMIs
at once, with the tags and pointers that a release and promotions would leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .catalog import VENDOR, Catalog
from .sandbox import Sandbox
from .state import OTHER, OWN, Eye, Place, Row, Table

SECOND = "us-east-1"
ROLE = f"arn:aws:iam::{OTHER}:role/bakeline"


def make(box: Sandbox, at: Path, name: str, **more: Any) -> Catalog:
    ladder = [{"name": "Test", "regions": [box.region]}, {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE}]
    made = Catalog(box, at, name, regions=[box.region, SECOND], environments=ladder, **more)
    made.file("scripts/mark.sh", f"echo {name} > /etc/{name}\n")
    return made


def fresh(box: Sandbox) -> Table:
    home = (OWN, box.region)
    prod: list[Place] = [home, (OWN, SECOND), (OTHER, box.region), (OTHER, SECOND)]
    return Table({"Test": [home], "Prod": prod}, home)


ONE, TWO = "20260101.1", "20260102.1"


class Written:
    """Images whose history is written straight into the cloud, in two Regions of two accounts."""

    def __init__(self, box: Sandbox, catalog: Catalog) -> None:
        self.box, self.catalog, self.eye = box, catalog, Eye(box, catalog.name)
        self.numbers = iter(range(10_000))

    def image(self, promoted: bool) -> tuple[str, Table]:
        """An image with version one in Prod and two in Test, or (`promoted`) in Prod as well."""
        name = f"k{next(self.numbers)}"
        self.catalog.image(name, source=VENDOR, scripts=["scripts/mark.sh"])
        table = fresh(self.box)
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
                pointers += [(place, env, ident) for env in row.current]
        self.box.control("images", amis)  # type: ignore[arg-type]
        for place, env, ident in pointers:
            self.eye.client("ssm", place).put_parameter(
                Name=f"/bakeline/{self.catalog.name}/{name}/{env}/x86_64",
                Value=ident,
                Type="String",
                DataType="aws:ec2:image",
            )
        self.eye.agree(table, name)
        return name, table

    def tags(self, name: str, version: str, ident: str, row: Row, origin: str | None) -> dict[str, str]:
        its = {
            "schema": "1",
            "catalog": self.catalog.name,
            "self": ident,
            "image": name,
            "version": version,
            "arch": "x86_64",
        }
        its |= {"state": row.state, "run": "r", "base": f"{self.box.region}:ami-1", "recipe": "x", "checks": "x"}
        day = f"{version[:4]}-{version[4:6]}-{version[6:8]}"
        if row.current:
            its["current"] = " ".join(f"{env}={day}T00:00:00Z" for env in sorted(row.current))
        if origin:
            its["origin"] = f"{self.box.region}:{origin}"
        return {f"bakeline:{key}": value for key, value in its.items()} | {"Environment": row.environment}
