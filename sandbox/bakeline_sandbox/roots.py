"""Vendor roots: Debian 12 and 13 as their cloud images are, made once by mmdebstrap and cached as plain directories."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import aptsource
from .backends.needs import SYS_ADMIN
from .backends.system import BackendError, has_capabilities, remove_tree, run, unmount_below

SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}
PACKAGES = (
    "systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,cloud-init,python3,iproute2,iputils-ping,procps,netbase,"
    "ca-certificates,curl,less,tzdata,adduser,e2fsprogs,apt-utils,debian-archive-keyring"
)
MORE = {"debian-12": "", "debian-13": ",linux-sysctl-defaults"}  # a package since Debian 13; lets users ping
CLOUD_CFG = """\
# The data source is named outright because a container has no firmware that says where it runs.
datasource_list: [Ec2]
datasource_pkg_list: [bakeline_firmware]
datasource: {Ec2: {strict_id: false, timeout: 5, max_wait: 20}}
network: {config: disabled}
system_info:
  default_user: {name: admin, lock_passwd: true, gecos: Debian, groups: [adm, sudo], sudo: ["ALL=(ALL) NOPASSWD:ALL"], shell: /bin/bash}
manage_etc_hosts: true
apt: {preserve_sources_list: true}
growpart: {mode: "off"}
resize_rootfs: false
locale: false
grub_dpkg: {enabled: false}
"""
FIRMWARE = '''\
"""Tells cloud-init's own Ec2 data source what the firmware of an EC2 machine would: that this is one."""
from cloudinit import sources
from cloudinit.sources import DataSourceEc2 as ec2


class DataSourceEc2(ec2.DataSourceEc2):
    def _get_cloud_name(self):
        return "aws"


def get_datasource_list(depends):
    return sources.list_from_depends(depends, [(DataSourceEc2, (sources.DEP_FILESYSTEM, sources.DEP_NETWORK))])
'''
FILES = {
    "etc/cloud/cloud.cfg.d/95_ec2.cfg": CLOUD_CFG,
    "etc/cloud/ds-identify.cfg": "policy: enabled\n",
    "usr/lib/python3/dist-packages/bakeline_firmware/__init__.py": "",
    "usr/lib/python3/dist-packages/bakeline_firmware/DataSourceEc2.py": FIRMWARE,
    "etc/systemd/resolved.conf.d/ec2.conf": f"[Resolve]\nDNS={aptsource.RELAY}\n",
    "etc/resolv.conf": f"nameserver {aptsource.RELAY}\n",
    "etc/machine-id": "",
    "etc/hostname": "localhost\n",
}
LOGINS = "etc/apt/auth.conf.d/95mirror.conf"  # of mirrors and proxies, for root only
SCRAPED = (
    "etc/ssh/ssh_host_*",
    "var/lib/apt/lists/*",
    "var/cache/apt/*.bin",
    "var/log/*.log",
    "var/log/apt/*",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "var/lib/dbus/machine-id",
)
# A killed build ends with all its processes, and its mounts vanish with the namespace.
NAMESPACES = shlex.split("setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc")
Progress = Callable[[str], None]


class RootError(BackendError):
    """A vendor root could not be made; the text names the cause and where the log is."""


class Roots:
    """The vendor roots of one state directory: cached builds under `cache/`, names under `run/layers/`."""

    def __init__(self, store: Path) -> None:
        self.cache, self.layers = store / "cache", store / "run" / "layers"

    def ensure(self, names: Sequence[str] = tuple(SUITES), progress: Progress = print) -> None:
        """Make the missing roots (two at a time) and put their names into the layer store."""
        source = aptsource.detect()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.layers.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(2) as pool:
            paths = list(pool.map(lambda name: self._one(name, source, progress), names))
        for name, path in zip(names, paths, strict=True):
            link = self.layers / name
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(path, self.layers))

    def refresh(self, name: str, serial: str) -> str:
        """A newer version of a root under a name of its own, as a vendor publishes one."""
        newer = f"{name}-{serial}"
        target = self.layers / newer
        if target.exists():
            raise RootError(f"vendor root `{newer}` exists already: choose another serial")
        part = target.with_name(f".{newer}.part")
        source = str((self.layers / name).resolve())
        # Layers are never written, so hard links will do; across file systems it takes a copy.
        if subprocess.run(["cp", "-al", source, part], capture_output=True, check=False).returncode:
            remove_tree(part)
            subprocess.run(["cp", "-a", "--reflink=auto", source, part], check=True)
        mark = part / "etc/bakeline-vendor-serial"
        mark.unlink(missing_ok=True)
        mark.write_text(f"{serial}\n")
        part.rename(target)
        return newer

    def _one(self, name: str, source: aptsource.AptSource, progress: Progress) -> Path:
        packages = PACKAGES + MORE[name]
        made_of = [SUITES[name], packages, FILES, SCRAPED, source.mirrors, source.options, os.uname().machine]
        recipe = json.dumps(made_of + source.logins())
        path = self.cache / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:10]}"
        if path.is_dir():
            progress(f"{name}: cached")
            return path
        progress(f"{name}: building with mmdebstrap (about a minute)")
        # Mounts appear in the kernel's table under the real path.
        part = path.parent.resolve() / f".{path.name}.part"
        unmount_below(part)
        remove_tree(part)
        self._mmdebstrap(name, source, part)
        _finish(part, SUITES[name], source)
        part.rename(path)
        for old in self.cache.glob(f"{name}-*"):
            if old != path and old.is_dir():
                remove_tree(old)
        progress(f"{name}: ready")
        return path

    def _mmdebstrap(self, name: str, source: aptsource.AptSource, target: Path) -> None:
        isolated = has_capabilities([SYS_ADMIN])
        command = [
            *(NAMESPACES if isolated else ()),
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            "--format=directory",
        ]
        command += [f"--include={PACKAGES}{MORE[name]}"]
        if not isolated:
            command += ["--skip=check/canmount,chroot/mount"]
        command += [f"--aptopt={line}" for line in source.apt_conf(inside=False)]
        command += [SUITES[name], str(target), *source.sources(SUITES[name], inside=False)]
        log = self.cache / f"{name}.log"
        with log.open("wb") as out:
            rc = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode
        if rc:
            tail = log.read_text(errors="replace").strip().splitlines()[-3:]
            text = f"making the vendor root `{name}` failed (mmdebstrap, exit {rc}; log: {log})"
            raise RootError(f"{text}: {' | '.join(tail)}")


def _finish(root: Path, suite: str, source: aptsource.AptSource) -> None:
    for pattern in SCRAPED:
        for path in root.glob(pattern):
            remove_tree(path)
    write_files(root, suite, source)
    authorities = Path("/usr/local/share/ca-certificates")
    if authorities.is_dir() and any(authorities.iterdir()):
        shutil.copytree(authorities, root / "usr/local/share/ca-certificates", dirs_exist_ok=True)
        run("chroot", root, "update-ca-certificates")


def write_files(root: Path, suite: str, source: aptsource.AptSource) -> None:
    """The files that tell a root where it is: on EC2, and behind this host's mirror."""
    files = dict(FILES)
    files["etc/apt/sources.list"] = "\n".join(source.sources(suite, inside=True)) + "\n"
    files["etc/apt/apt.conf.d/95mirror"] = "\n".join(source.apt_conf(inside=True)) + "\n"
    if logins := source.logins():
        files[LOGINS] = "\n".join(logins) + "\n"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(text)
        path.chmod(0o600 if name == LOGINS else 0o644)
