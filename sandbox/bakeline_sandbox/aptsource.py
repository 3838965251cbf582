"""How this host reaches its Debian mirror, and the same way written for the inside of an instance."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEFAULTS = (
    ("http://deb.debian.org/debian", ""),
    ("http://deb.debian.org/debian", "-updates"),
    ("http://deb.debian.org/debian-security", "-security"),
)
RELAY = "169.254.169.253"  # the router's address that stands for services on the host's loopback
KEPT = r"Check-Valid-Until|Check-Date|https?::[\w.:-]*(?:Proxy|Verify-Peer|Verify-Host)[\w.:-]*"
OPTION = re.compile(rf'(?m)^(Acquire::(?:{KEPT})) "(.+)";$')
INDEX = re.compile(r"(?m)^'(\S+?)/+dists/([^/']+)/InRelease'")


@dataclass(frozen=True)
class AptSource:
    """Mirrors as (URI, suite suffix) and the apt options that make them work."""

    mirrors: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]

    def urls(self) -> list[SplitResult]:
        """Every mirror and proxy."""
        proxies = [value for name, value in self.options if "Proxy" in name]
        return [urlsplit(url) for url in dict.fromkeys([*(uri for uri, _ in self.mirrors), *proxies])]

    def endpoints(self) -> tuple[tuple[str, int], ...]:
        """Mirror and proxy services on the host's own loopback: instances need them relayed."""
        return tuple(sorted({(str(url.hostname), _port(url)) for url in self.urls() if _is_loopback(url)}))

    def addresses(self) -> set[str]:
        """The IPv4 addresses of the mirrors, proxies and resolvers that this host uses."""
        found = set()
        for name in [*(url.hostname for url in self.urls()), *resolvers()]:
            try:
                found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, socket.AF_INET)}
            except OSError:
                continue  # an IPv6 address, or a name that only a proxy knows
        return found

    def sources(self, suite: str, inside: bool) -> list[str]:
        """One-line apt sources, as seen from the host or from inside an instance."""
        mirrors = [(from_inside(uri) if inside else uri, suffix) for uri, suffix in self.mirrors]
        return [f"deb [signed-by={KEYRING}] {uri} {suite}{suffix} main" for uri, suffix in mirrors]

    def apt_conf(self, inside: bool) -> list[str]:
        """The lines of an apt.conf file."""
        return [f'{name} "{from_inside(value) if inside else value}";' for name, value in self.options]

    def logins(self) -> list[str]:
        """The lines of an auth.conf file: what must not be in the other two, which every user may read."""
        found = [(urlsplit(from_inside(url.geturl())), url) for url in self.urls() if url.username]
        return [
            f"machine {at.scheme}://{at.netloc}{at.path} "
            f"login {unquote(url.username or '')} password {unquote(url.password or '')}"
            for at, url in found
        ]


def resolvers() -> list[str]:
    """The host's own name servers."""
    return re.findall(r"(?m)^nameserver\s+(\S+)", Path("/etc/resolv.conf").read_text())


def _is_loopback(url: SplitResult) -> bool:
    return url.hostname == "localhost" or (url.hostname or "").startswith("127.")


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def from_inside(text: str) -> str:
    """What an instance calls `text`, if that is a URL: without a login, and by the relay where only the host can go."""
    url = urlsplit(text)
    place = f"{RELAY}:{_port(url)}" if _is_loopback(url) else url.netloc.rpartition("@")[2]
    return url._replace(netloc=place).geturl() if url.hostname else text


def detect() -> AptSource:
    """Ask the host's apt; a host that is no Debian gets Debian's own mirror."""
    codename, found = _codename(), []
    for listed, suite in INDEX.findall(_output("apt-get", "--print-uris", "-oDebug::NoLocking=1", "update")):
        if suite in (codename, f"{codename}-updates", f"{codename}-security"):
            named = listed.startswith("mirror+file:")  # Debian's cloud images name their mirror in a file of its own
            uri = Path(urlsplit(listed).path).read_text().split()[0] if named else listed
            found.append((uri.rstrip("/"), suite.removeprefix(codename)))
    options = dict(OPTION.findall(_output("apt-config", "dump")))
    for scheme in ("http", "https"):
        if proxy := os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY"):
            options.setdefault(f"Acquire::{scheme}::Proxy", proxy)
    complete = any(not suffix for _, suffix in found)
    return AptSource(tuple(dict.fromkeys(found)) if complete else DEFAULTS, tuple(sorted(options.items())))


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def _codename() -> str:
    release = dict(part.partition("=")[::2] for part in shlex.split(Path("/etc/os-release").read_text()))
    return release.get("VERSION_CODENAME", "") if release.get("ID") == "debian" else "none"
