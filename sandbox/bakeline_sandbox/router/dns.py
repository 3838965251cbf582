"""Answers DNS queries of instances with the host's resolvers and its /etc/hosts."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from pathlib import Path

from ..host.apt import name_servers

TIMEOUT_SECONDS = 5.0
TTL_SECONDS = 60
A_RECORD, AAAA_RECORD = 1, 28
_HEADER_BYTES = 12
_AUTHORITATIVE_ANSWER = 0x8580
_NAME_POINTER = b"\xc0\x0c"  # to the question's name, which begins after the header


def resolve(query: bytes) -> bytes:
    """Returns the answer to a DNS query, or b"" if no resolver of the host answers."""
    if local := answer_from_hosts_file(query):
        return local
    for server in name_servers():
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(TIMEOUT_SECONDS)
            upstream.connect((server, 53))
            upstream.sendall(query)
            return upstream.recv(65535)
    return b""


def answer_from_hosts_file(query: bytes) -> bytes | None:
    """Returns the answer to a query for a name in /etc/hosts, or None for other queries."""
    try:
        name, end = _read_name(query)
        (record_type,) = struct.unpack_from("!H", query, end)
    except (IndexError, UnicodeDecodeError, struct.error):
        return None
    addresses = _hosts_file_addresses(name)
    if not addresses or record_type not in (A_RECORD, AAAA_RECORD):
        return None
    prefix = _NAME_POINTER + struct.pack("!HHIH", A_RECORD, 1, TTL_SECONDS, 4)
    records = []
    if record_type == A_RECORD:
        records = [prefix + socket.inet_aton(address) for address in addresses]
    header = query[:2] + struct.pack("!HHHHH", _AUTHORITATIVE_ANSWER, 1, len(records), 0, 0)
    return header + query[_HEADER_BYTES : end + 4] + b"".join(records)


def _read_name(query: bytes) -> tuple[str, int]:
    """Returns the name in the question, in lower case, and the offset behind it."""
    labels, position = [], _HEADER_BYTES
    while length := query[position]:
        labels.append(query[position + 1 : position + 1 + length].decode("ascii").lower())
        position += 1 + length
    return ".".join(labels), position + 1


def _hosts_file_addresses(name: str) -> list[str]:
    """Returns the IPv4 addresses of a name in /etc/hosts, without loopback."""
    addresses = []
    for line in Path("/etc/hosts").read_text().lower().splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name in names and ":" not in address and not ipaddress.ip_address(address).is_loopback:
            addresses.append(address)
    return addresses
