"""Debian's AMIs, owned by Debian's own account and public, in every region."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends

from .images import VENDOR, Image, Snapshot
from .lifecycle import ROOT_GIB
from .world import backends, on

DEBIAN, EC2 = {"aarch64": ("arm64", "arm64")}.get(os.uname().machine, ("amd64", "x86_64"))  # the architecture's names
RELEASES = ("debian-12", "debian-13")


@dataclass(frozen=True)
class Release:
    """One published AMI of the vendor."""

    debian: str
    layer: str
    date: datetime
    serial: int

    @property
    def name(self) -> str:
        return f"{self.debian}-{DEBIAN}-{self.date:%Y%m%d}-{self.serial}"


_published: list[Release] = []


def begin() -> None:
    """The AMIs a fresh sandbox has: a month old, so that a newer one can be published."""
    then = datetime.now(UTC).replace(microsecond=0, tzinfo=None) - timedelta(days=30)
    _published[:] = [Release(name, name, then + timedelta(minutes=n), 2000 + n) for n, name in enumerate(RELEASES, 1)]


def following(debian: str) -> tuple[datetime, int]:
    """Date and serial of the next AMI of a release: today, or the day after the last one."""
    last = max(release.date for release in _published if release.debian == debian)
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    return max(now, last + timedelta(days=1)), _published[-1].serial + 1


def publish(release: Release) -> None:
    """Register a newer vendor AMI everywhere."""
    _published.append(release)
    for ec2 in backends():
        if ec2.account_id == VENDOR:
            _register(ec2, release)


@on(EC2Backend, "_load_amis")
def load(self: Any) -> None:
    """EC2Backend._load_amis: the vendor's account gets its AMIs, every other account none."""
    for release in _published if self.account_id == VENDOR else ():
        _register(self, release)


def _register(ec2: Any, release: Release) -> None:
    digest = hashlib.sha256(f"{ec2.region_name}/{release.name}".encode()).hexdigest()
    volume = SimpleNamespace(id="vol-ffffffff", size=ROOT_GIB)
    snapshot = Snapshot(ec2, f"snap-0{digest[16:32]}", volume, f"{release.name} root")
    snapshot.layers, snapshot.ready_at, snapshot.start_time = (release.layer,), 0.0, release.date
    Image(
        ec2,
        f"ami-0{digest[:16]}",
        snapshot,
        name=release.name,
        creation_date=release.date,
        description=f"Debian {release.debian.removeprefix('debian-')} (vendor AMI of the sandbox)",
        architecture=EC2,
        launch_permissions=[{"Group": "all"}],
    )


def amis(region: str) -> list[dict[str, str]]:
    """The vendor's AMIs in a region, newest last."""
    found = sorted(ec2_backends[VENDOR][region].amis.values(), key=lambda image: image.creation_date)
    return [{"id": image.id, "name": image.name} for image in found]
