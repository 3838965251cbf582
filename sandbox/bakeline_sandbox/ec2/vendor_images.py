"""Publishes the vendor AMIs: public AMIs of the vendors' accounts, in every Region."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends

from .images import VENDOR_ACCOUNT, VENDOR_ACCOUNTS, Image, Snapshot
from .instance import ROOT_GIB
from .state import iter_backends, patch

_ARCHITECTURES = {"aarch64": ("arm64", "arm64")}
DEBIAN_ARCHITECTURE, EC2_ARCHITECTURE = _ARCHITECTURES.get(os.uname().machine, ("amd64", "x86_64"))
FIRST_SERIAL = 2001
INITIAL_AGE = timedelta(days=30)  # so that newer AMIs can be published


@dataclass(frozen=True)
class Vendor:
    """Account and properties of a vendor's AMIs. `name` has date, serial and architectures."""

    account: str
    name: str
    description: str
    root_device: str = "/dev/xvda"
    alias: str | None = None


# Accounts and formats of names as on EC2 (examples/bases cites the sources).
VENDORS = {
    "debian-12": Vendor(VENDOR_ACCOUNT, "debian-12-{debian_arch}-{date}-{serial}", "Debian 12"),
    "debian-13": Vendor(VENDOR_ACCOUNT, "debian-13-{debian_arch}-{date}-{serial}", "Debian 13"),
    "ubuntu-24.04": Vendor(
        "099720109477",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{debian_arch}-server-{date}",
        "Ubuntu 24.04",
        root_device="/dev/sda1",
    ),
    "amazon-linux-2023": Vendor(
        "137112412989",
        "al2023-ami-2023.5.{date}.0-kernel-6.1-{arch}",
        "Amazon Linux 2023",
        alias="amazon",
    ),
    "rhel-9": Vendor(
        "309956199498",
        "RHEL-9.4.0_HVM-{date}-{arch}-82-Hourly2-GP3",
        "Red Hat Enterprise Linux 9.4",
        root_device="/dev/sda1",
    ),
}
RELEASES = tuple(VENDORS)
PUBLISHED = ("debian-12", "debian-13")  # `publish` creates newer AMIs of these


@dataclass(frozen=True)
class VendorRelease:
    """Version of a vendor AMI, published in all Regions."""

    system: str
    layer: str
    date: datetime
    serial: int

    @property
    def vendor(self) -> Vendor:
        """Vendor of the AMI."""
        return VENDORS[self.system]

    @property
    def name(self) -> str:
        """Name of the AMI, in the format of the vendor's AMIs."""
        return self.vendor.name.format(
            debian_arch=DEBIAN_ARCHITECTURE,
            arch=EC2_ARCHITECTURE,
            date=f"{self.date:%Y%m%d}",
            serial=self.serial,
        )


_releases: list[VendorRelease] = []


def reset_releases() -> None:
    """Restores the releases of a new server."""
    date = _utc_now() - INITIAL_AGE
    _releases[:] = [
        VendorRelease(name, name, date + timedelta(minutes=index + 1), FIRST_SERIAL + index)
        for index, name in enumerate(RELEASES)
    ]


def next_release(system: str) -> tuple[datetime, int]:
    """Returns date and serial of the next release: now, or the day after the last release."""
    latest = max(release.date for release in _releases if release.system == system)
    return max(_utc_now(), latest + timedelta(days=1)), _releases[-1].serial + 1


def publish_release(release: VendorRelease) -> None:
    """Registers a new vendor AMI in all Regions."""
    _releases.append(release)
    for ec2 in iter_backends():
        if ec2.account_id == release.vendor.account:
            _register_image(ec2, release)


def list_vendor_images(region: str) -> list[dict[str, str]]:
    """Returns ID and name of the vendor AMIs in a Region, oldest first."""
    accounts = [ec2_backends[account][region] for account in VENDOR_ACCOUNTS]
    images = [image for ec2 in accounts for image in ec2.amis.values()]
    ordered = sorted(images, key=lambda image: image.creation_date)
    return [{"id": image.id, "name": image.name} for image in ordered]


@patch(EC2Backend, "_load_amis")
def load_vendor_images(self: Any) -> None:
    """Registers the vendor AMIs in a new backend of the vendor's account."""
    for release in _releases:
        if self.account_id == release.vendor.account:
            _register_image(self, release)


def _register_image(ec2: Any, release: VendorRelease) -> None:
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
        description=f"{release.vendor.description} (vendor AMI of the sandbox)",
        root_device_name=release.vendor.root_device,
        owner_alias=release.vendor.alias,
        architecture=EC2_ARCHITECTURE,
        launch_permissions=[{"Group": "all"}],
    )


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
