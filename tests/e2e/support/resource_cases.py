"""Cases for all resources: a check that passes on a real root, and a change of the root that makes it fail."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .debian_root import Server

Change = str | Callable[[Server], None]
"""A shell script that runs inside as root, or a function that runs outside."""


@dataclass(frozen=True)
class ResourceCase:
    """`place`: `root` (a server in a root), `own` (the same with apparent own kernel), `booted` (an instance)."""

    name: str
    check: dict[str, Any]
    flip: Change
    prepare: str = ""
    place: str = "root"
    becomes: str = "failed"
    oracle: Callable[[Any], bool] | None = None
    """Answer of pytest-testinfra to the same question, which must match before and after."""

    @property
    def resource(self) -> str:
        return next(iter(self.check))


def access_list(path: str) -> Callable[[Server], None]:
    """Returns an ACL that lets user 1 write, in Linux's format (include/uapi/linux/posix_acl_xattr.h)."""
    entries = [(0x01, 7, 0xFFFFFFFF), (0x02, 7, 1), (0x04, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 5, 0xFFFFFFFF)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    return lambda server: os.setxattr(Path(f"{server.root}{path}"), "system.posix_acl_access", value)


def put_file(path: str, text: str) -> str:
    """Returns a script that writes a file."""
    quoted = text.replace("'", "'\\''")
    return f"mkdir -p $(dirname {path}); printf '%s\\n' '{quoted}' > {path}"


REPO = "/srv/repo"
NEWER = (
    f"cd {REPO}; v=$(dpkg-query -W -f='${{Version}}' cron); sed \"s/^Version: .*/Version: $v+1/\" one > Packages;"
    " apt-get -qq update"
)
LISTENER = (
    "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>q(127.0.0.1),LocalPort=>7777,Listen=>1); sleep'"
)

CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN={} -days {}"
)

FILES = [
    ResourceCase(
        "file: mode",
        {"file": "/etc/r-mode", "mode": "0640", "owner": "root", "uid": 0, "gid": 0},
        "chmod 0660 /etc/r-mode",
        put_file("/etc/r-mode", "x") + "; chmod 0640 /etc/r-mode",
        oracle=lambda host: host.file("/etc/r-mode").mode == 0o640 and host.file("/etc/r-mode").uid == 0,
    ),
    ResourceCase(
        "file: owner",
        {"file": "/etc/r-owner", "owner": "root", "group": "root"},
        "chown sys:sys /etc/r-owner",
        put_file("/etc/r-owner", "x"),
        oracle=lambda host: host.file("/etc/r-owner").user == "root" and host.file("/etc/r-owner").group == "root",
    ),
    ResourceCase(
        "file: content",
        {"file": "/etc/r-content", "content": {"not": {"line": "bad"}}},
        "echo bad >> /etc/r-content",
        put_file("/etc/r-content", "good"),
        oracle=lambda host: not host.file("/etc/r-content").contains("^bad$"),
    ),
    ResourceCase(
        "file: absent",
        {"file": "/etc/r-absent", "exists": False},
        "touch /etc/r-absent",
        oracle=lambda host: not host.file("/etc/r-absent").exists,
    ),
    ResourceCase(
        "file: sha256",
        {"file": "/etc/r-sum", "sha256": "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"},
        "echo y >> /etc/r-sum",
        put_file("/etc/r-sum", "x"),
        oracle=lambda host: host.file("/etc/r-sum").sha256sum.startswith("73cb3858a687a8494c"),
    ),
    ResourceCase("file: writable", {"file": "/etc/r-w", "writable": {"subset_of": ["owner"]}}, "chmod o+w /etc/r-w", put_file("/etc/r-w", "x")),
    ResourceCase("file: suid", {"file": "/etc/r-suid", "suid": False}, "chmod u+s /etc/r-suid", put_file("/etc/r-suid", "x")),
    ResourceCase("file: immutable", {"file": "/etc/r-im", "immutable": False}, "chattr +i /etc/r-im", put_file("/etc/r-im", "x")),
    ResourceCase("file: acl", {"file": "/etc/r-facl", "acl": {"empty": True}}, access_list("/etc/r-facl"), put_file("/etc/r-facl", "x")),
    ResourceCase(
        "file: link",
        {"file": "/etc/r-link", "type": "link", "link_target": "/etc/passwd"},
        "ln -sfn /etc/shadow /etc/r-link",
        "ln -sfn /etc/passwd /etc/r-link",
        oracle=lambda host: host.file("/etc/r-link").linked_to == "/etc/passwd",
    ),
    ResourceCase("files", {"files": "/opt/r", "perm_any": "0002"}, "chmod 0666 /opt/r/a/b", "mkdir -p /opt/r/a; touch /opt/r/a/b"),
    ResourceCase("files: content", {"files": "/opt/rc", "line_matches": "^bad +[0-9]"}, "echo 'bad  1' > /opt/rc/b", "mkdir -p /opt/rc; echo good > /opt/rc/a"),
    ResourceCase("acl", {"acl": "/etc/r-acl"}, access_list("/etc/r-acl"), put_file("/etc/r-acl", "x")),
    ResourceCase("config_file: ini", {"config_file": "/etc/r.ini", "main.level": "high"}, "sed -i s/high/low/ /etc/r.ini", put_file("/etc/r.ini", "[main]\nlevel = high")),
    ResourceCase("command", {"command": "cat /etc/r-cmd", "stdout": "x\n"}, "echo y > /etc/r-cmd", put_file("/etc/r-cmd", "x")),
]  # fmt: skip
ACCOUNTS = [
    ResourceCase(
        "passwd: user",
        {"passwd": "games", "exists": True, "shell": "/usr/sbin/nologin", "uid": 5},
        "usermod -s /bin/sh games",
        oracle=lambda host: host.user("games").exists and host.user("games").shell == "/usr/sbin/nologin",
    ),
    ResourceCase("passwd: all", {"passwd": "all", "roots": {"same_set": ["root"]}}, "usermod -o -u 0 games"),
    ResourceCase("etc_group", {"etc_group": "sudo", "members": {"empty": True}}, "usermod -aG sudo games"),
    ResourceCase("etc_group: all", {"etc_group": "all", "gids": {"duplicates": False}}, "groupmod -o -g 0 games"),
    ResourceCase("shadow", {"shadow": "bin", "hash": {"in": ["none", "locked"]}}, "passwd -q -d bin"),
    ResourceCase("shadow: all", {"shadow": "all", "without_password": {"empty": True}}, "passwd -q -d bin"),
    ResourceCase("login_defs", {"login_defs": "/etc/login.defs", "UMASK": "022"}, "echo UMASK 000 >> /etc/login.defs"),
    ResourceCase("login_path", {"login_path": "root", "writable": {"empty": True}}, "chmod 0777 /usr/local/sbin"),
    ResourceCase("privileged_files", {"privileged_files": "all", "setuid": {"disjoint": ["/usr/local/bin/r-suid"]}}, "cp /bin/true /usr/local/bin/r-suid; chmod 4755 /usr/local/bin/r-suid"),
    ResourceCase("sudoers", {"sudoers": "all", "passwordless": {"disjoint": ["games"]}}, "mkdir /opt/s.d; echo 'games ALL=NOPASSWD: ALL' > /opt/s.d/x; echo '@includedir /opt/s.d' >> /etc/sudoers", "[ -e /etc/sudoers ] || echo 'root ALL=(ALL) ALL' > /etc/sudoers"),
    ResourceCase("authorized_keys", {"authorized_keys": "all", "unsafe": {"empty": True}}, "mkdir -m 0777 /var/backups/.ssh; cp /root/.ssh/authorized_keys /var/backups/.ssh; chmod 0777 /var/backups/.ssh"),
    ResourceCase("shell_history", {"shell_history": "all", "files": {"empty": True}}, "echo ls > /root/.bash_history"),
    ResourceCase("cron", {"cron": "system", "entries": {"each": {"not": {"include": "/r-evil"}}}}, put_file("/etc/cron.d/r", "* * * * * root /r-evil")),
]  # fmt: skip
PACKAGES = [
    ResourceCase(
        "package",
        {"package": "openssh-server"},
        "sed -i '/^Package: openssh-server$/,/^$/s/^Status: .*/Status: deinstall ok config-files/' /var/lib/dpkg/status",
        oracle=lambda host: host.package("openssh-server").is_installed,
    ),
    ResourceCase(
        "package: absent",
        {"package": "telnetd", "installed": False},
        put_file("/tmp/r", "Package: telnetd\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: me\nDescription: x\n")
        + "; { echo; cat /tmp/r; } >> /var/lib/dpkg/status",
        oracle=lambda host: not host.package("telnetd").is_installed,
    ),
    ResourceCase("packages", {"packages": "openssh-sftp*", "names": {"count": 1}}, "sed -i '/^Package: openssh-sftp-server$/,/^$/s/^Status: .*/Status: deinstall ok config-files/' /var/lib/dpkg/status"),
    ResourceCase("repositories", {"repositories": "all", "insecure": {"each": {"not": {"include": "r.invalid"}}}}, put_file("/etc/apt/sources.list.d/r.list", "deb [trusted=yes] http://r.invalid/ x main"), "rm -f /etc/apt/sources.list.d/repo.list"),
    ResourceCase(
        "updates",
        {"updates": "all", "names": {"empty": True}},
        NEWER,
        f"mkdir -p {REPO}; cd {REPO}; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; dpkg-query -s cron > one;"
        f" {{ cat one; echo 'Filename: ./cron.deb'; echo 'Size: 1'; echo; }} > two; mv two one; cp one Packages;"
        f" echo 'deb [trusted=yes] file:{REPO} ./' > /etc/apt/sources.list.d/repo.list; apt-get -qq update",
    ),
]  # fmt: skip
KERNEL = [
    ResourceCase("kernel_parameter: configured", {"kernel_parameter": "net.ipv4.ip_forward", "configured": 0}, put_file("/etc/sysctl.d/99-z.conf", "net/ipv4/ip_forward=1"), put_file("/etc/sysctl.d/10-a.conf", "net.ipv4.ip_forward = 0")),
    ResourceCase(
        "kernel_parameter: running",
        {"kernel_parameter": "net.ipv4.tcp_timestamps", "running": 1},
        "sysctl -q -w net.ipv4.tcp_timestamps=0",
        "sysctl -q -w net.ipv4.tcp_timestamps=1",
        "own",
        oracle=lambda host: host.sysctl("net.ipv4.tcp_timestamps") == 1,
    ),
    ResourceCase("kernel_module: disabled", {"kernel_module": "cramfs", "disabled": True}, "rm /etc/modprobe.d/r.conf", put_file("/etc/modprobe.d/r.conf", "install cramfs /bin/true")),
    ResourceCase("kernel_module: blacklisted", {"kernel_module": "usb_storage", "blacklisted": True}, "sed -i 's/^/#/' /etc/modprobe.d/r2.conf", put_file("/etc/modprobe.d/r2.conf", "blacklist usb-storage")),
    ResourceCase("cpu", {"cpu": "this", "flags": {"include": "nx"}}, "sed 's/ nx / /' /proc/cpuinfo > /opt/cpu; mount --bind /opt/cpu /proc/cpuinfo", place="own"),
    ResourceCase("mount", {"mount": "/mnt", "fstype": "tmpfs", "options": {"include": "noexec"}}, "mount -o remount,exec /mnt", "mount -t tmpfs -o noexec r /mnt", "own"),
    ResourceCase("mount: configured", {"mount": "/var/tmp", "configured_options": {"include": "nosuid"}}, "sed -i s/nosuid,// /etc/fstab", put_file("/etc/fstab", "tmpfs /var/tmp tmpfs nosuid,nodev 0 0")),
    ResourceCase("fstab", {"fstab": "/var/tmp", "fstype": "tmpfs", "options": {"superset_of": ["nosuid", "nodev"]}}, "sed -i s/,nodev// /etc/fstab", put_file("/etc/fstab", "tmpfs /var/tmp tmpfs nosuid,nodev 0 0")),
    ResourceCase("os", {"os": "this", "version": "12"}, "sed -i 's/^VERSION_ID=.*/VERSION_ID=\"13\"/' /usr/lib/os-release"),
    ResourceCase("virtualization", {"virtualization": "this", "container": False}, "mkdir -p /run/systemd; echo docker > /run/systemd/container", place="own"),
    ResourceCase("processes", {"processes": "r-daemon", "running": True, "users": {"same_set": ["root"]}}, "pkill -f '[r]-daemon'", "cp /bin/sleep /opt/r-daemon; setsid /opt/r-daemon 3600 >/dev/null 2>&1 &", "own"),
    ResourceCase("port", {"port": "tcp/7777", "listening": True}, "pkill -f '[7]777'", f"setsid {LISTENER} >/dev/null 2>&1 &", "own"),
    ResourceCase("firewall", {"firewall": "nft", "rules": {"any": {"include": "dport 22"}}}, "nft flush ruleset", "nft add table inet r; nft add chain inet r in '{ type filter hook input priority 0; }'; nft add rule inet r in tcp dport 22 accept", "own"),
]  # fmt: skip
SERVICES = [
    ResourceCase("service: enabled", {"service": "cron", "enabled": True, "phase": ["boot"]}, "systemctl -q disable cron", oracle=lambda host: host.service("cron").is_enabled),
    ResourceCase("service: masked", {"service": "cron", "masked": False}, "systemctl -q mask cron", oracle=lambda host: not host.service("cron").is_masked),
    ResourceCase("time_sync", {"time_sync": "this", "enabled": True, "services": {"any": {"include": "chrony"}}}, "systemctl -q disable chrony"),
    ResourceCase("apparmor", {"apparmor": "this", "enabled": True}, "systemctl -q mask apparmor"),
    ResourceCase("selinux", {"selinux": "this", "configured": "enforcing"}, "sed -i s/=enforcing/=permissive/ /etc/selinux/config", put_file("/etc/selinux/config", "SELINUX=enforcing")),
    ResourceCase("auditd_conf", {"auditd_conf": "/etc/audit/auditd.conf", "max_log_file_action": "ROTATE"}, "sed -i s/ROTATE/IGNORE/ /etc/audit/auditd.conf"),
]  # fmt: skip
SSH = [
    ResourceCase(
        "sshd_config: effective",
        {"sshd_config": "effective", "permitrootlogin": "prohibit-password"},
        put_file("/etc/ssh/sshd_config.d/r.conf", "PermitRootLogin no"),
        put_file("/etc/ssh/sshd_config.d/9.conf", "PermitRootLogin prohibit-password").replace("9.conf", "s.conf"),
        oracle=lambda host: "\npermitrootlogin without-password\n" in host.run("/usr/sbin/sshd -T").stdout,
    ),
    ResourceCase("sshd_config: file", {"sshd_config": "file", "X11Forwarding": "yes"}, put_file("/etc/ssh/sshd_config.d/r.conf", "X11Forwarding no"), oracle=lambda host: "\nx11forwarding yes\n" in host.run("/usr/sbin/sshd -T").stdout),
    ResourceCase("sshd_config: match", {"sshd_config": "file", "match_options": {"each": {"not": {"match": ": maxsessions 3 "}}}}, "printf 'Match User games\\nMaxSessions 3\\n' > /etc/ssh/sshd_config.d/z.conf"),
    ResourceCase("sshd_config: no root login", {"sshd_config": "effective", "PermitEmptyPasswords": "no"}, "echo 'PermitEmptyPasswords yes' >> /etc/ssh/sshd_config", oracle=lambda host: "\npermitemptypasswords no\n" in host.run("/usr/sbin/sshd -T").stdout),
    ResourceCase("ssh_config", {"ssh_config": "effective", "ForwardAgent": "no"}, put_file("/etc/ssh/ssh_config.d/r.conf", "ForwardAgent yes")),
    ResourceCase("host_keys", {"host_keys": "all", "exposed": {"empty": True}, "files": {"empty": False}}, "chmod 0644 /etc/ssh/ssh_host_rsa_key"),
    ResourceCase("credentials", {"credentials": "all", "secrets": {"empty": True}}, put_file("/opt/app/.env", "TOKEN=ghp" + "_aB3dE5fG7hJ9kL2mN4pQ6rS8tU0vW1xY5zC7")),
    ResourceCase("private_keys", {"private_keys": "all", "files": {"empty": True}}, "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_r"),
]  # fmt: skip
LEFT = [
    ResourceCase("machine_id", {"machine_id": "this", "state": "present"}, "> /etc/machine-id", "echo 0123456789abcdef0123456789abcdef > /etc/machine-id"),
    ResourceCase("logs", {"logs": "all", "files": {"empty": True}}, "echo x > /var/log/r.log", "find /var/log ! -type d -delete"),
    ResourceCase("build_artifacts", {"build_artifacts": "all", "files": {"each": {"not": {"include": "script_1234"}}}}, "echo x > /tmp/script_1234.sh", "rm -rf /tmp/* /var/tmp/*; find /var/lib/apt/lists /var/cache/apt -type f -delete; find /etc /var/lib -name '*.dpkg-*' -delete"),
]  # fmt: skip
BOOTED = [
    ResourceCase("certificate", {"certificate": "/etc/r.pem", "subject": {"include": "first"}}, CERTIFICATE.format("second", 9) + " -out /etc/r.pem", CERTIFICATE.format("first", 90) + " -out /etc/r.pem"),
    ResourceCase("service: running", {"service": "cloud-final", "running": True}, "systemctl stop cloud-final", place="booted", oracle=lambda host: host.service("cloud-final").is_running),
    ResourceCase("unit", {"unit": "systemd-logind.service", "ProtectSystem": "strict"}, "mkdir -p /run/systemd/system/systemd-logind.service.d; printf '[Service]\\nProtectSystem=full\\n' > /run/systemd/system/systemd-logind.service.d/r.conf; systemctl daemon-reload", place="booted"),
    ResourceCase("failed_units", {"failed_units": "all", "names": {"empty": True}}, "systemd-run -q --unit=r-fails false; sleep 1", place="booted"),
    ResourceCase("cloud_init", {"cloud_init": "this", "enabled": True, "installed": True}, "touch /etc/cloud/cloud-init.disabled", place="booted"),
]  # fmt: skip

ROWS = [*FILES, *ACCOUNTS, *PACKAGES, *KERNEL, *SERVICES, *SSH, *LEFT, *BOOTED]
