"""A gateway in front of the local EC2: HTTPS with a private authority, bucket policies, a stand-in for IAM Identity Center."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .run import HANG


@dataclass(frozen=True)
class Received:
    """A request, before the gateway forwards it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, bytes] | None


class Gateway:
    """Server on loopback that forwards requests, unless `decide` answers them."""

    def __init__(self, upstream: str, decide: Callable[[Received], Answer] = lambda _: None, tls: Path | None = None):
        self.requests: list[Received] = []
        gateway, target = self, urlsplit(upstream).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.command, self.path, headers, body)
                gateway.requests.append(received)
                status, answer, more = 0, b"", {}
                if decided := decide(received):
                    status, answer = decided
                else:
                    status, answer, more = forward(target, received)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if "content-length" not in more:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"

    def forms(self, action: str) -> list[dict[str, str]]:
        """Returns the parameters of each call of an action whose body is a form."""
        calls = [dict(parse_qsl(request.body.decode("utf-8", "replace"))) for request in self.requests]
        return [call for call in calls if call.get("Action") == action]

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def forward(target: str, received: Received) -> tuple[int, bytes, dict[str, str]]:
    """Sends a request on. The local EC2 accepts only its own name as host."""
    connection = http.client.HTTPConnection(target, timeout=HANG)
    headers = {**received.headers, "host": target, "connection": "close"}
    connection.request(received.method, received.path, received.body, headers)
    answer = connection.getresponse()
    body = answer.read()
    dropped = ("connection", "transfer-encoding", "date", "server")
    more = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in dropped}
    if received.method != "HEAD":
        more["content-length"] = str(len(body))
    return answer.status, body, more


@dataclass
class Connects:
    """A proxy that refuses every CONNECT and records its target."""

    hosts: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        hosts = self.hosts

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                hosts.append(self.path)
                self.send_error(403)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def create_authority(folder: Path) -> tuple[Path, Path]:
    """Creates an authority, and a certificate of it for 127.0.0.1. Returns the files of both, the second with its key."""
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: str, key: Any, issuer: str, signer: Any, *extensions: x509.ExtensionType) -> bytes:
        made = x509.CertificateBuilder(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]),
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
            key.public_key(),
            x509.random_serial_number(),
            now - datetime.timedelta(days=1),
            now + datetime.timedelta(days=2),
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    root = certificate("corp", authority, "corp", authority, x509.BasicConstraints(True, None))
    leaf = certificate("gateway", server, "corp", authority, loopback, x509.BasicConstraints(False, None))
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "root.pem").write_bytes(root)
    (folder / "server.pem").write_bytes(leaf + key)
    return folder / "root.pem", folder / "server.pem"
