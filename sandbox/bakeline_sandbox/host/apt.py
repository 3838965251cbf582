"""Reads how this host reaches its Debian mirror, and translates it for use inside instances."""

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
DEFAULT_MIRRORS = (
    ("http://deb.debian.org/debian", ""),
    ("http://deb.debian.org/debian", "-updates"),
    ("http://deb.debian.org/debian-security", "-security"),
)
RELAY_ADDRESS = "169.254.169.253"  # of the router, which relays to the host's loopback
_OPTION_NAMES = (
    r"Check-Valid-Until|Check-Date|https?::[\w.:-]*(?:Proxy|Verify-Peer|Verify-Host)[\w.:-]*"
)
_OPTION = re.compile(rf'(?m)^(Acquire::(?:{_OPTION_NAMES})) "(.+)";$')
_INDEX = re.compile(r"(?m)^'(\S+?)/+dists/([^/']+)/InRelease'")
_NAME_SERVER = re.compile(r"(?m)^nameserver\s+(\S+)")


@dataclass(frozen=True)
class AptConfig:
    """Debian mirrors as (URI, suite suffix), and the apt options that they need."""

    mirrors: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]

    def urls(self) -> list[SplitResult]:
        """Returns the URLs of all mirrors and proxies."""
        mirrors = [uri for uri, _ in self.mirrors]
        proxies = [value for name, value in self.options if "Proxy" in name]
        return [urlsplit(url) for url in dict.fromkeys([*mirrors, *proxies])]

    def loopback_endpoints(self) -> tuple[tuple[str, int], ...]:
        """Returns host and port of mirrors and proxies on loopback, which need a relay."""
        found = {(str(url.hostname), _port(url)) for url in self.urls() if _is_loopback(url)}
        return tuple(sorted(found))

    def host_addresses(self) -> set[str]:
        """Returns the IPv4 addresses of the mirrors, proxies and name servers of this host."""
        addresses = set()
        for name in [*(url.hostname for url in self.urls()), *name_servers()]:
            try:
                entries = socket.getaddrinfo(name, None, socket.AF_INET)
            except OSError:
                continue  # an IPv6 address, or a name that only a proxy can resolve
            addresses |= {str(entry[4][0]) for entry in entries}
        return addresses

    def sources(self, suite: str, inside: bool) -> list[str]:
        """Returns one-line apt sources for the host or for the inside of an instance."""
        lines = []
        for uri, suffix in self.mirrors:
            url = url_from_inside(uri) if inside else uri
            lines.append(f"deb [signed-by={KEYRING}] {url} {suite}{suffix} main")
        return lines

    def apt_conf(self, inside: bool) -> list[str]:
        """Returns the lines of an apt.conf file for the host or for the inside of an instance."""
        return [
            f'{name} "{url_from_inside(value) if inside else value}";'
            for name, value in self.options
        ]

    def auth_conf(self) -> list[str]:
        """Returns the lines of an auth.conf file for the inside of an instance.

        Logins must not be in sources or options, because every user can read those.
        """
        lines = []
        for url in self.urls():
            if url.username:
                inside = urlsplit(url_from_inside(url.geturl()))
                machine = f"{inside.scheme}://{inside.netloc}{inside.path}"
                login, password = unquote(url.username), unquote(url.password or "")
                lines.append(f"machine {machine} login {login} password {password}")
        return lines


def name_servers() -> list[str]:
    """Returns the addresses of the host's name servers."""
    return _NAME_SERVER.findall(Path("/etc/resolv.conf").read_text())


def url_from_inside(text: str) -> str:
    """Returns the URL that an instance uses for a URL of the host; returns other texts unchanged.

    The result contains no login. Services on the host's loopback are reached through the relay.
    """
    url = urlsplit(text)
    if not url.hostname:
        return text
    relay = f"{RELAY_ADDRESS}:{_port(url)}"
    place = relay if _is_loopback(url) else url.netloc.rpartition("@")[2]
    return url._replace(netloc=place).geturl()


def detect_apt_config() -> AptConfig:
    """Returns the configuration of the host's apt, or Debian's own mirror if it is incomplete."""
    mirrors = _detect_mirrors(_codename())
    has_main_suite = any(not suffix for _, suffix in mirrors)
    options = dict(_OPTION.findall(_command_output("apt-config", "dump")))
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")
        if proxy:
            options.setdefault(f"Acquire::{scheme}::Proxy", proxy)
    used = tuple(dict.fromkeys(mirrors)) if has_main_suite else DEFAULT_MIRRORS
    return AptConfig(used, tuple(sorted(options.items())))


def _detect_mirrors(codename: str) -> list[tuple[str, str]]:
    mirrors = []
    listing = _command_output("apt-get", "--print-uris", "-oDebug::NoLocking=1", "update")
    for uri, suite in _INDEX.findall(listing):
        if suite in (codename, f"{codename}-updates", f"{codename}-security"):
            mirrors.append((_resolve_mirror(uri).rstrip("/"), suite.removeprefix(codename)))
    return mirrors


def _resolve_mirror(uri: str) -> str:
    """Returns the URI of a mirror, which Debian's cloud images store in a file."""
    if uri.startswith("mirror+file:"):
        return Path(urlsplit(uri).path).read_text().split()[0]
    return uri


def _is_loopback(url: SplitResult) -> bool:
    return url.hostname == "localhost" or (url.hostname or "").startswith("127.")


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _command_output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def _codename() -> str:
    parts = shlex.split(Path("/etc/os-release").read_text())
    release = dict(part.partition("=")[::2] for part in parts)
    return release.get("VERSION_CODENAME", "") if release.get("ID") == "debian" else "none"
