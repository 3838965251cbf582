"""Forwards API calls to the local EC2 and records their parameters."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl

from .run import HANG

HOP = ("host", "connection", "content-length", "transfer-encoding")


class Recorder:
    """Endpoint on loopback. `calls` has the parameters of each call with a form."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.calls: list[dict[str, str]] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.calls.append(dict(parse_qsl(body.decode("utf-8", "replace"))))
                headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
                request = urllib.request.Request(f"{recorder.endpoint}{self.path}", body, headers, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=HANG) as answer:
                        status, given, content = answer.status, answer.headers, answer.read()
                except urllib.error.HTTPError as error:
                    status, given, content = error.code, error.headers, error.read()
                self.send_response(status)
                for key, value in given.items():
                    if key.lower() not in HOP:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, *_: object) -> None:
                """Prints nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def of(self, action: str) -> list[dict[str, str]]:
        return [call for call in self.calls if call.get("Action") == action]
