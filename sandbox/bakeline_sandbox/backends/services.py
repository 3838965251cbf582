"""The link-local services inside the router: instance metadata, DNS and the relay to the host's loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from socketserver import BaseServer

from werkzeug.serving import make_server

from .. import aptsource, dns
from ..metadata import Metadata
from . import InstanceSpec
from .network import DNS, METADATA, Network, mac
from .system import in_netns


class Services:
    """Sockets are opened in the router's namespace; what they ask upstream goes out from the host's."""

    def __init__(self, network: Network) -> None:
        def find(address: str) -> tuple[InstanceSpec, str] | None:
            specs = [spec for spec, _ in list(network.members.values()) if spec.private_ip == address]
            return (specs[0], mac(specs[0])) if specs else None

        makers: list[Callable[[], BaseServer]] = [
            lambda: make_server(METADATA, 80, Metadata(find), threaded=True),
            lambda: dns.Udp((DNS, 53), dns.Datagrams),
        ]
        over_tcp = [(server, 53) for server in aptsource.resolvers()[:1]]
        for service in [*over_tcp, *aptsource.detect().endpoints()]:
            makers.append(lambda service=service: dns.relay(DNS, service[1], service))  # type: ignore[misc]
        self.servers = [in_netns(network.router, make) for make in makers]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        """Stop them all."""
        for server in self.servers:
            server.shutdown()
            server.server_close()
