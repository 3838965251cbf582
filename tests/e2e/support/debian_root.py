"""Provides a Debian 12 root with an SSH server: built once by mmdebstrap, cached, and fresh for each test."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .run import HANG, REPO, wait_until

SUITE = "bookworm"
PACKAGES = "openssh-server,systemd-sysv,procps,iproute2,kmod,sudo,login,passwd,cron"
"""Packages of the root on which the reference verdicts were recorded."""
EQUIPMENT = "nftables,iptables,chrony,auditd,apparmor,openssl,acl"
"""Additional packages that the tests check."""
CACHE = Path(os.environ.get("BAKELINE_STOCK_CACHE", "/var/cache/bakeline-tests"))
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
SSHD = "/usr/sbin/sshd -oPidFile=none"
INSIDE = f"""\
set -eu
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount --bind /dev/pts "$1/dev/pts"
mkdir -p "$1/run/sshd"
if [ "$4" = apart ]; then ip link set lo up; fi
if [ "$3" = own ]; then
    exec chroot "$1" {SSHD} -D -e -p "$2" -oListenAddress=127.0.0.1
fi
chroot "$1" {SSHD} -D -e -p "$2" -oListenAddress=127.0.0.1 &
wait
"""
QUIET = ["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]


def cached_root(more: str = "") -> Path:
    """Returns the unmodified root, optionally with more packages. The first build takes about a minute."""
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("a stock root needs root rights and mmdebstrap: nothing was judged on it")
    sys.path.insert(0, str(REPO / "sandbox"))
    try:
        from bakeline_sandbox.host.apt import detect_apt_config
    finally:
        sys.path.pop(0)
    source = detect_apt_config()
    sources, options = source.sources(SUITE, inside=False), source.apt_conf(inside=False)
    packages = f"{PACKAGES},{more}".strip(",")
    recipe = json.dumps([SUITE, packages, sources, options, platform.machine()])
    path = CACHE / f"stock-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = CACHE / f".{path.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            words = ["mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory", f"--include={packages}"]
            words += [*(f"--aptopt={line}" for line in options), SUITE, str(part), *sources]
            made = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False)
            assert made.returncode == 0, f"mmdebstrap: {made.stderr[-3000:]}"
            part.rename(path)
    return path


@contextlib.contextmanager
def writable_root(lower: Path) -> Iterator[Path]:
    """Yields a writable root on top of another: an overlay, or a copy where overlays cannot be mounted."""
    place = CACHE / "run" / uuid.uuid4().hex[:12]
    root = place / "root"
    for name in ("root", "upper", "work"):
        (place / name).mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
    words = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    if not mounted:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{lower}/.", str(root)], check=True)
    try:
        yield root
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(root)], check=True)
        subprocess.run(["chattr", "-R", "-f", "-i", str(place)], capture_output=True, check=False)
        shutil.rmtree(place)


@dataclass(frozen=True)
class Server:
    """An SSH server inside a root, in its own namespaces."""

    root: Path
    port: int
    pid: int
    config: Path
    url: str = "ssh://stock"

    @property
    def key(self) -> Path:
        return self.config.parent / "key"

    @property
    def known_hosts(self) -> Path:
        return self.config.parent / "known_hosts"

    def ssh(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        line = ["ssh", "-F", str(self.config), *QUIET, "stock", *words]
        given = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            line, capture_output=True, text=True, errors="replace", timeout=HANG, check=False, **given
        )

    def sh(self, script: str, want: int | None = 0) -> str:
        """Runs a script in the root and the namespaces of the server."""
        line = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--"]
        line += ["chroot", str(self.root), "sh", "-eu", "-c", script]
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, check=False)
        assert want is None or done.returncode == want, (
            f"{script!r}: exit {done.returncode}: {done.stdout}{done.stderr}"
        )
        return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _config(root: Path, at: Path, port: int) -> Path:
    """Creates a login key, a host key and the client configuration."""
    at.mkdir(parents=True, exist_ok=True)
    key = at / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "judge", "-f", str(key)], check=True)
    home = root / "root/.ssh"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "authorized_keys").touch(mode=0o600)
    (home / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    host = " ".join((root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])
    (at / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
    options: Mapping[str, object] = {
        "HostName": "127.0.0.1",
        "Port": port,
        "User": "root",
        "IdentityFile": key,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": at / "known_hosts",
        "StrictHostKeyChecking": "yes",
    }
    config = at / "config"
    config.write_text("Host stock\n" + "".join(f"  {name} {value}\n" for name, value in options.items()))
    return config


@contextlib.contextmanager
def server(root: Path, at: Path, own_kernel: bool = False, own_network: bool = False) -> Iterator[Server]:
    """Yields an SSH server in a root that accepts root with a key.

    With a network of its own, the settings of that may be changed without anybody noticing. With `own_kernel` it is also the
    first process of its namespaces: for all that can be seen from inside, the kernel is the root's own.
    """
    port = _free_port()
    config = _config(root, at, port)
    apart = own_kernel or own_network
    words = [*NAMESPACES, *(["--net"] if apart else []), "sh", "-c", INSIDE, "sh", str(root), str(port)]
    words += ["own" if own_kernel else "hosts", "apart" if apart else "shared"]
    log = at / "sshd.log"
    with (
        log.open("wb") as to,
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=to, stderr=to) as process,
    ):
        try:
            wait_until(
                lambda: b"listening on" in log.read_bytes() or process.poll() is not None, HANG, "sshd", every=0.02
            )
            assert process.poll() is None, log.read_text()
            pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            if apart:  # its network is reachable only through a server that is started inside
                enter = f"nsenter --target={pid} --mount --pid --net -- chroot {root} {SSHD} -i"
                config.write_text(f"{config.read_text()}  ProxyCommand {enter}\n")
            yield Server(root, port, pid, config)
        finally:
            process.send_signal(signal.SIGKILL)
