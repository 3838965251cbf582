"""Relays DNS queries and TCP connections of instances to services of the host."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from socketserver import BaseRequestHandler, ThreadingTCPServer, ThreadingUDPServer

from . import dns

Address = tuple[str, int]


class _RelayServer:
    """Settings of both relays."""

    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores connections that the client or the host closed; the client tries again."""


class DnsRelay(_RelayServer, ThreadingUDPServer):
    """Answers DNS queries over UDP."""

    def __init__(self, listen: Address) -> None:
        super().__init__(listen, _DnsHandler)


class _DnsHandler(BaseRequestHandler):
    def handle(self) -> None:
        query, client = self.request
        if answer := dns.resolve(query):
            client.sendto(answer, self.client_address)


class TcpRelay(_RelayServer, ThreadingTCPServer):
    """Forwards TCP connections to those that `connect` returns."""

    def __init__(self, listen: Address, connect: Callable[[], socket.socket]) -> None:
        self.connect = connect
        super().__init__(listen, _TcpHandler)


class _TcpHandler(BaseRequestHandler):
    server: TcpRelay

    def handle(self) -> None:
        with self.server.connect() as upstream:
            arguments = (upstream, self.request)
            responses = threading.Thread(target=_copy_stream, args=arguments, daemon=True)
            responses.start()
            _copy_stream(self.request, upstream)
            responses.join()


def _copy_stream(source: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)
