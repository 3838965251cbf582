"""An oracle for the state of every version of an image, written from the design's table of states. It reads only AWS
APIs (tags, SSM) in every Region and account. It neither imports nor runs bakeline."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from .catalog import tags
from .sandbox import Sandbox

OWN, OTHER = "123456789012", "222222222222"
Location = tuple[str, str]
"""Account and Region."""
SESSION = 3600
"""Seconds of a session of the judge."""


@dataclass(frozen=True)
class VersionState:
    """State of one version in one location."""

    state: str = "released"
    environment: str = ""
    current: frozenset[str] = frozenset()
    deprecated: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class LocationView:
    """Content of a location: states by version, and the version of each environment's pointer."""

    rows: dict[str, VersionState]
    latest: dict[str, str]


@dataclass
class ExpectedState:
    """The design's table of states for one image: environments in order with their locations, and the state so far."""

    ladder: dict[str, list[Location]]
    home: Location
    cells: dict[Location, dict[str, VersionState]] = field(default_factory=dict)
    launchers: dict[tuple[Location, str], frozenset[str]] = field(default_factory=dict)
    """Other accounts that may launch a version in a location."""
    before: dict[tuple[Location, str], VersionState] = field(default_factory=dict)
    """State of a retiring version before its retirement."""

    def __post_init__(self) -> None:
        for places in self.ladder.values():
            for place in places:
                self.cells.setdefault(place, {})

    def copy(self) -> ExpectedState:
        cells = {place: dict(rows) for place, rows in self.cells.items()}
        return ExpectedState(self.ladder, self.home, cells, dict(self.launchers), dict(self.before))

    def level(self, env: str) -> int:
        return ["", *self.ladder].index(env)

    def _arrive(self, version: str, env: str) -> None:
        for place in self.ladder[env]:
            rows = self.cells[place]
            for other, row in rows.items():
                rows[other] = replace(row, current=row.current - {env})
            row = rows.get(version, VersionState())
            reached = max(row.environment, env, key=self.level)
            rows[version] = replace(row, environment=reached, current=row.current | {env})

    def release(self, version: str) -> None:
        self._arrive(version, next(iter(self.ladder)))

    def promote(self, version: str, env: str) -> None:
        assert self.cells[self.home][version].state == "released"
        self._arrive(version, env)

    def rollback(self, env: str, to: str) -> None:
        left = {v for rows in self.cells.values() for v, row in rows.items() if env in row.current and v != to}
        below = ["", *self.ladder][self.level(env) - 1]
        for place, rows in self.cells.items():
            for version in left & rows.keys():
                rows[version] = replace(rows[version], state="held")
                if place in self.ladder[env]:
                    current = rows[version].current - {env}
                    reached = max([below, *current], key=self.level)
                    rows[version] = replace(rows[version], environment=reached, current=current)
        for place in self.ladder[env]:
            row = self.cells[place][to]
            self.cells[place][to] = replace(row, current=row.current | {env})

    def revoke(self, version: str) -> None:
        for rows in self.cells.values():
            if version not in rows:
                continue
            lost, rows[version] = rows[version].current, VersionState("revoked")
            for env in lost:
                heirs = [
                    v for v, r in rows.items() if r.state == "released" and self.level(r.environment) >= self.level(env)
                ]
                if heirs:
                    heir = max(heirs, key=lambda v: (v.split(".")[0], int(v.split(".")[1])))
                    rows[heir] = replace(rows[heir], current=rows[heir].current | {env})

    def hold(self, version: str, state: str = "held") -> None:
        for rows in self.cells.values():
            if version in rows:
                rows[version] = replace(rows[version], state=state)

    def retire(self, version: str, place: Location, rung: str) -> None:
        """Moves a version to the next retirement stage. Retiring versions are not current; deregistered ones do not exist."""
        rows = self.cells[place]
        row = rows[version]
        assert not row.current
        if rung == "deprecate":
            self.before[place, version] = row
            rows[version] = replace(row, state="retiring", deprecated=True)
        elif rung == "disable":
            assert row.deprecated
            rows[version] = replace(row, disabled=True)
        else:
            assert rung == "deregister" and row.disabled
            del rows[version]

    def restore(self, version: str, place: Location) -> None:
        """Restores the state and launch permissions before the retirement."""
        assert self.cells[place][version].state == "retiring"
        self.cells[place][version] = self.before.pop((place, version))

    def launch_accounts(self, place: Location) -> dict[str, frozenset[str]]:
        """Returns the other accounts that may launch each version now. Disabled AMIs cannot be launched."""
        rows = self.cells[place].items()
        return {v: frozenset() if row.disabled else self.launchers.get((place, v), frozenset()) for v, row in rows}

    def view(self, place: Location) -> LocationView:
        rows = self.cells[place]
        return LocationView(dict(rows), {env: version for version, row in rows.items() for env in row.current})


class CloudObserver:
    """Reads the locations with boto3."""

    def __init__(self, sandbox: Sandbox, catalog: str, key: str = "Environment") -> None:
        self.sandbox, self.catalog, self.key = sandbox, catalog, key
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._expiry = 0.0

    def client(self, service: str, place: Location) -> Any:
        account, region = place
        if account == OWN:
            return self.sandbox.client(service, region)
        if time.monotonic() > self._expiry:
            self._clients, self._expiry = {}, time.monotonic() + SESSION / 2
        known = (service, *place)
        if known not in self._clients:
            arn = f"arn:aws:iam::{account}:role/judge"
            words = {"RoleArn": arn, "RoleSessionName": "judge", "DurationSeconds": SESSION}
            role = self.sandbox.client("sts").assume_role(**words)["Credentials"]
            self._clients[known] = self.sandbox.client(
                service,
                region,
                aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            )
        return self._clients[known]

    def amis(self, place: Location, image: str | None = None) -> list[dict[str, Any]]:
        """Returns the catalog's AMIs in a location, in any state."""
        filters = [{"Name": "tag:bakeline:catalog", "Values": [self.catalog]}]
        if image:
            filters.append({"Name": "tag:bakeline:image", "Values": [image]})
        found = self.client("ec2", place).describe_images(Owners=["self"], Filters=filters, IncludeDisabled=True)
        return list(found["Images"])

    def view(self, place: Location, image: str) -> LocationView:
        """Returns the finished AMIs of a location, and its pointers, after verifying their consistency."""
        rows, ids = {}, {}
        for ami in self.amis(place, image):
            its = tags(ami)
            if its.get("bakeline:self") != ami["ImageId"] or its["bakeline:state"] == "candidate":
                continue
            version = its["bakeline:version"]
            assert version not in rows, f"{version} twice in {place}"
            current = frozenset(word.split("=")[0] for word in its.get("bakeline:current", "").split())
            out = "DeprecationTime" in ami, ami["State"] == "disabled"
            assert out[1] or ami["State"] == "available", ami
            rows[version] = VersionState(its["bakeline:state"], its.get(self.key, ""), current, *out)
            ids[ami["ImageId"]] = version
            if place[1] != self.sandbox.region or place[0] != OWN:
                assert its["bakeline:origin"].startswith(f"{self.sandbox.region}:ami-"), its
        path = f"/bakeline/{self.catalog}/{image}/"
        found = self.client("ssm", place).get_parameters_by_path(Path=path, Recursive=True)["Parameters"]
        pointers = {one["Name"].removeprefix(path).split("/")[0]: ids.get(one["Value"], one["Value"]) for one in found}
        return LocationView(rows, pointers)

    def assert_matches(self, table: ExpectedState, image: str) -> None:
        """Asserts that every location matches the expected state."""
        for place in table.cells:
            assert self.view(place, image) == table.view(place), place

    def launch_accounts(self, place: Location, image: str) -> dict[str, frozenset[str]]:
        """Returns the other accounts that may launch each version."""
        ec2, out = self.client("ec2", place), {}
        for ami in self.amis(place, image):
            shown = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")
            out[tags(ami)["bakeline:version"]] = frozenset(one["UserId"] for one in shown["LaunchPermissions"])
        return out

    def snapshots(self, place: Location, image: str) -> set[str]:
        """Returns the snapshots that are tagged with the image."""
        only = [{"Name": "tag:bakeline:image", "Values": [image]}]
        found = self.client("ec2", place).describe_snapshots(OwnerIds=["self"], Filters=only)["Snapshots"]
        return {one["SnapshotId"] for one in found}

    def unfinished_copies(self, place: Location, image: str) -> list[dict[str, Any]]:
        """Returns unfinished AMIs, which no lookup may return and a sweep must delete."""
        return [a for a in self.amis(place, image) if tags(a).get("bakeline:state") == "candidate"]
