"""What instances need of the host: its name resolution and services on its loopback (a package proxy, say), relayed."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer, ThreadingUDPServer

from .aptsource import resolvers

TIMEOUT = 5.0
A_RECORD, AAAA_RECORD = 1, 28


def from_hosts(query: bytes) -> bytes | None:
    """The answer to an address question about a name of the host's /etc/hosts."""
    labels, at = [], 12
    try:
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        (kind,) = struct.unpack_from("!H", query, at + 1)
    except (IndexError, UnicodeDecodeError, struct.error):
        return None
    found = []
    for line in Path("/etc/hosts").read_text().lower().splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if ".".join(labels) in names and ":" not in address and not ipaddress.ip_address(address).is_loopback:
            found.append(address)
    if not found or kind not in (A_RECORD, AAAA_RECORD):
        return None
    head = b"\xc0\x0c" + struct.pack("!HHIH", A_RECORD, 1, 60, 4)
    records = [head + socket.inet_aton(address) for address in found if kind == A_RECORD]
    return query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(records), 0, 0) + query[12 : at + 5] + b"".join(records)


def ask(query: bytes) -> bytes:
    """Ask the host's resolvers one after the other; empty when none answers."""
    if local := from_hosts(query):
        return local
    for server in resolvers():
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(TIMEOUT)
            upstream.connect((server, 53))
            upstream.sendall(query)
            return upstream.recv(65535)
    return b""


class Datagrams(BaseRequestHandler):
    """One query over UDP."""

    def handle(self) -> None:
        query, sock = self.request
        if answer := ask(query):
            sock.sendto(answer, self.client_address)


class Passing(BaseRequestHandler):
    """Pass a connection on to a service of the host."""

    service: tuple[str, int]

    def handle(self) -> None:
        with socket.create_connection(self.service) as upstream:
            back = threading.Thread(target=_pump, args=(upstream, self.request), daemon=True)
            back.start()
            _pump(self.request, upstream)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class _Quiet:
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client went away, or nobody answered it: it will ask again."""


class Udp(_Quiet, ThreadingUDPServer):
    """A server of datagrams."""


class Tcp(_Quiet, ThreadingTCPServer):
    """A server of connections."""


def relay(address: str, port: int, service: tuple[str, int]) -> Tcp:
    """A server that passes connections on to a service of the host."""
    return Tcp((address, port), type("Relay", (Passing,), {"service": service}))
