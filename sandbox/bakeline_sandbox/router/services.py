"""Runs the link-local services of the router: instance metadata, DNS and relays to loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial
from socketserver import BaseServer

from werkzeug.serving import make_server

from ..host.apt import detect_apt_config, name_servers
from ..host.netns import call_in_netns
from .addressing import DNS_ADDRESS, METADATA_ADDRESS
from .metadata import MetadataService
from .network import RouterNetwork
from .relays import DnsRelay, TcpRelay

POLL_SECONDS = 0.1


class RouterServices:
    """Servers that listen in the router namespace and reach their upstream from the host's."""

    def __init__(self, network: RouterNetwork) -> None:
        metadata = MetadataService(network.find_instance)
        factories: list[Callable[[], BaseServer]] = [
            lambda: make_server(METADATA_ADDRESS, 80, metadata, threaded=True),
            lambda: DnsRelay((DNS_ADDRESS, 53)),
        ]
        dns_over_tcp = [(server, 53) for server in name_servers()[:1]]
        for target in [*dns_over_tcp, *detect_apt_config().loopback_endpoints()]:
            listen = (DNS_ADDRESS, target[1])
            connect = partial(socket.create_connection, target)
            factories.append(partial(TcpRelay, listen, connect))
        self.servers = [call_in_netns(network.router, factory) for factory in factories]
        for server in self.servers:
            arguments = (POLL_SECONDS,)
            threading.Thread(target=server.serve_forever, args=arguments, daemon=True).start()

    def close(self) -> None:
        """Stops all servers."""
        for server in self.servers:
            server.shutdown()
            server.server_close()
