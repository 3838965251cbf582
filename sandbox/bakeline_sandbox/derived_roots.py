"""Builds the roots of Ubuntu, Amazon Linux and RHEL from a root of Debian.

They have the login user, os-release and package manager of their family. Everything else is
Debian, also for cloud-init, so they prove nothing about the content of a real AMI.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .backends.requirements import SYS_ADMIN
from .errors import VendorRootError
from .host.apt import AptConfig
from .host.mounts import remove_tree
from .host.processes import NAMESPACES, has_capabilities
from .vendor_root_files import CLOUD_CFG_FILE, cloud_cfg

BASE = "debian-12"
BUILD_SCRIPT = Path(__file__).with_name("rpm_root.sh").read_text()
_MOUNTS = 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && '


@dataclass(frozen=True)
class DerivedRoot:
    """Differences of a vendor root from its Debian root."""

    os_release: dict[str, str]
    user: str
    groups: str
    rpm: dict[str, str] | None = None  # environment of the script that installs dnf and rpm
    release_file: str = ""  # file of the vendor with PRETTY_NAME


DERIVED_ROOTS = {
    "ubuntu-24.04": DerivedRoot(
        {
            "PRETTY_NAME": "Ubuntu 24.04.1 LTS",
            "NAME": "Ubuntu",
            "VERSION_ID": "24.04",
            "VERSION": "24.04.1 LTS (Noble Numbat)",
            "VERSION_CODENAME": "noble",
            "ID": "ubuntu",
            "ID_LIKE": "debian",
        },
        user="ubuntu",
        groups="adm, sudo",
    ),
    "amazon-linux-2023": DerivedRoot(
        {
            "NAME": "Amazon Linux",
            "VERSION": "2023",
            "ID": "amzn",
            "ID_LIKE": "fedora",
            "VERSION_ID": "2023",
            "PLATFORM_ID": "platform:al2023",
            "PRETTY_NAME": "Amazon Linux 2023",
        },
        user="ec2-user",
        groups="adm, wheel, systemd-journal",
        # AL2023 stays at the release of its AMI until dnf gets another one.
        rpm={
            "DIST": ".amzn2023",
            "RELEASE_PACKAGE": "system-release",
            "SELINUX": "permissive",
            "RELEASES": "2023.5.20240701:2023.5.20240701 2023.6.20241010:2023.6.20241010",
        },
        release_file="etc/system-release",
    ),
    "rhel-9": DerivedRoot(
        {
            "NAME": "Red Hat Enterprise Linux",
            "VERSION": "9.4 (Plow)",
            "ID": "rhel",
            "ID_LIKE": "fedora",
            "VERSION_ID": "9.4",
            "PLATFORM_ID": "platform:el9",
            "PRETTY_NAME": "Red Hat Enterprise Linux 9.4 (Plow)",
        },
        user="ec2-user",
        groups="adm, wheel, systemd-journal",
        rpm={
            "DIST": ".el9",
            "RELEASE_PACKAGE": "redhat-release",
            "SELINUX": "enforcing",
            "RELEASES": "9.4:9",
        },
        release_file="etc/redhat-release",
    ),
}


def build_derived_root(
    derived: DerivedRoot, base: Path, target: Path, apt: AptConfig, suite: str, log: Path
) -> None:
    """Copies the root of Debian and changes it. `log` receives the output of the programs."""
    subprocess.run(["cp", "-a", "--reflink=auto", base, target], check=True)
    _write_files(derived, target)
    if derived.rpm is not None:
        _install_rpm(derived.rpm, target, apt, suite, log)


def _write_files(derived: DerivedRoot, root: Path) -> None:
    lines = [f'{name}="{value}"' for name, value in derived.os_release.items()]
    files = {
        "usr/lib/os-release": "\n".join(lines) + "\n",
        CLOUD_CFG_FILE: cloud_cfg(derived.user, derived.os_release["NAME"], derived.groups),
    }
    if derived.release_file:
        files[derived.release_file] = derived.os_release["PRETTY_NAME"] + "\n"
    for name, text in files.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)


def _install_rpm(
    release: dict[str, str], root: Path, apt: AptConfig, suite: str, log: Path
) -> None:
    sources = root / "root/build-sources.list"
    sources.write_text("\n".join(apt.sources(suite, inside=False)) + "\n")
    sources.chmod(0o600)
    options = [*apt.apt_conf(inside=False), f'Dir::Etc::sourcelist "/{sources.relative_to(root)}";']
    options += ['Dir::Etc::sourceparts "-";', 'Dir::Etc::main "-";', 'Dir::Etc::parts "-";']
    (root / "root/build-apt.conf").write_text("\n".join(options) + "\n")
    resolv_conf = root / "etc/resolv.conf"
    original = resolv_conf.read_text()
    resolv_conf.write_bytes(Path("/etc/resolv.conf").read_bytes())
    can_mount = has_capabilities([SYS_ADMIN])
    mounts = _MOUNTS if can_mount else ""
    command = [*(NAMESPACES if can_mount else ()), "sh", "-c", f'{mounts}exec chroot "$0" sh -s']
    environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), **release}
    with log.open("wb") as output:
        completed = subprocess.run(
            [*command, str(root)],
            input=BUILD_SCRIPT.encode(),
            stdout=output,
            stderr=output,
            env=environment,
            check=False,
        )
    if code := completed.returncode:
        last_lines = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        text = f"cannot install dnf and rpm (exit code {code}; log: {log})"
        raise VendorRootError(f"{text}: {last_lines}")
    resolv_conf.write_text(original)
    for path in root.glob("var/log/*.log"):
        remove_tree(path)
