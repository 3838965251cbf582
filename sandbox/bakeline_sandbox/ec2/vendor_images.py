"""Publishes the vendor AMIs: public AMIs of Debian's account, in every Region."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends

from .images import VENDOR_ACCOUNT, Image, Snapshot
from .instance import ROOT_GIB
from .state import iter_backends, patch

_ARCHITECTURES = {"aarch64": ("arm64", "arm64")}
DEBIAN_ARCHITECTURE, EC2_ARCHITECTURE = _ARCHITECTURES.get(os.uname().machine, ("amd64", "x86_64"))
RELEASES = ("debian-12", "debian-13")
FIRST_SERIAL = 2001
INITIAL_AGE = timedelta(days=30)  # so that newer AMIs can be published


@dataclass(frozen=True)
class VendorRelease:
    """Version of a vendor AMI, published in all Regions."""

    debian: str
    layer: str
    date: datetime
    serial: int

    @property
    def name(self) -> str:
        """Name of the AMI, in the format of Debian's AMIs."""
        return f"{self.debian}-{DEBIAN_ARCHITECTURE}-{self.date:%Y%m%d}-{self.serial}"


_releases: list[VendorRelease] = []


def reset_releases() -> None:
    """Restores the releases of a new server."""
    date = _utc_now() - INITIAL_AGE
    _releases[:] = [
        VendorRelease(name, name, date + timedelta(minutes=index + 1), FIRST_SERIAL + index)
        for index, name in enumerate(RELEASES)
    ]


def next_release(debian: str) -> tuple[datetime, int]:
    """Returns date and serial of the next release: now, or the day after the last release."""
    latest = max(release.date for release in _releases if release.debian == debian)
    return max(_utc_now(), latest + timedelta(days=1)), _releases[-1].serial + 1


def publish_release(release: VendorRelease) -> None:
    """Registers a new vendor AMI in all Regions."""
    _releases.append(release)
    for ec2 in iter_backends():
        if ec2.account_id == VENDOR_ACCOUNT:
            _register_image(ec2, release)


def list_vendor_images(region: str) -> list[dict[str, str]]:
    """Returns ID and name of the vendor AMIs in a Region, oldest first."""
    images = ec2_backends[VENDOR_ACCOUNT][region].amis.values()
    ordered = sorted(images, key=lambda image: image.creation_date)
    return [{"id": image.id, "name": image.name} for image in ordered]


@patch(EC2Backend, "_load_amis")
def load_vendor_images(self: Any) -> None:
    """Registers the vendor AMIs in a new backend of the vendor's account."""
    if self.account_id == VENDOR_ACCOUNT:
        for release in _releases:
            _register_image(self, release)


def _register_image(ec2: Any, release: VendorRelease) -> None:
    digest = hashlib.sha256(f"{ec2.region_name}/{release.name}".encode()).hexdigest()
    volume = SimpleNamespace(id="vol-ffffffff", size=ROOT_GIB)
    snapshot = Snapshot(ec2, f"snap-0{digest[16:32]}", volume, f"{release.name} root")
    snapshot.layers, snapshot.ready_at, snapshot.start_time = (release.layer,), 0.0, release.date
    number = release.debian.removeprefix("debian-")
    Image(
        ec2,
        f"ami-0{digest[:16]}",
        snapshot,
        name=release.name,
        creation_date=release.date,
        description=f"Debian {number} (vendor AMI of the sandbox)",
        architecture=EC2_ARCHITECTURE,
        launch_permissions=[{"Group": "all"}],
    )


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
