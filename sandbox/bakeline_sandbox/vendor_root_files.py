"""Defines the files in which a vendor root differs from a plain Debian."""

from __future__ import annotations

from pathlib import Path

from .host.apt import RELAY_ADDRESS, AptConfig

SOURCES_LIST = "etc/apt/sources.list"
APT_CONF = "etc/apt/apt.conf.d/95mirror"
AUTH_CONF = "etc/apt/auth.conf.d/95mirror.conf"  # logins for mirrors and proxies; mode 0600
CLOUD_CFG_FILE = "etc/cloud/cloud.cfg.d/95_ec2.cfg"
_CLOUD_CFG = """\
# A container has no firmware that identifies the cloud, so the data source is configured.
datasource_list: [Ec2]
datasource_pkg_list: [bakeline_firmware]
datasource: {Ec2: {strict_id: false, timeout: 5, max_wait: 20}}
network: {config: disabled}
system_info:
  default_user:
    name: %(user)s
    lock_passwd: true
    gecos: %(gecos)s
    groups: [%(groups)s]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
manage_etc_hosts: true
apt: {preserve_sources_list: true}
growpart: {mode: "off"}
resize_rootfs: false
locale: false
grub_dpkg: {enabled: false}
"""
_DATA_SOURCE = '''\
"""Makes cloud-init's Ec2 data source detect EC2, which it normally does by the firmware."""
from cloudinit import sources
from cloudinit.sources import DataSourceEc2 as ec2


class DataSourceEc2(ec2.DataSourceEc2):
    def _get_cloud_name(self):
        return "aws"


def get_datasource_list(depends):
    required = (sources.DEP_FILESYSTEM, sources.DEP_NETWORK)
    return sources.list_from_depends(depends, [(DataSourceEc2, required)])
'''


def cloud_cfg(user: str, gecos: str, groups: str) -> str:
    """Returns the configuration of cloud-init with the login user of a vendor."""
    return _CLOUD_CFG % {"user": user, "gecos": gecos, "groups": groups}


FILES = {
    CLOUD_CFG_FILE: cloud_cfg("admin", "Debian", "adm, sudo"),
    "etc/cloud/ds-identify.cfg": "policy: enabled\n",
    "usr/lib/python3/dist-packages/bakeline_firmware/__init__.py": "",
    "usr/lib/python3/dist-packages/bakeline_firmware/DataSourceEc2.py": _DATA_SOURCE,
    "etc/systemd/resolved.conf.d/ec2.conf": f"[Resolve]\nDNS={RELAY_ADDRESS}\n",
    "etc/resolv.conf": f"nameserver {RELAY_ADDRESS}\n",
    "etc/machine-id": "",
    "etc/hostname": "localhost\n",
}
# Files of the build that a vendor AMI does not contain, as glob patterns.
REMOVED_FILES = (
    "etc/ssh/ssh_host_*",
    "var/lib/apt/lists/*",
    "var/cache/apt/*.bin",
    "var/log/*.log",
    "var/log/apt/*",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "var/lib/dbus/machine-id",
)


def write_root_files(root: Path, suite: str, apt: AptConfig) -> None:
    """Writes the files that configure cloud-init, name resolution and apt for an instance."""
    files = dict(FILES)
    files[SOURCES_LIST] = _join_lines(apt.sources(suite, inside=True))
    files[APT_CONF] = _join_lines(apt.apt_conf(inside=True))
    if logins := apt.auth_conf():
        files[AUTH_CONF] = _join_lines(logins)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(text)
        path.chmod(0o600 if name == AUTH_CONF else 0o644)


def _join_lines(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
