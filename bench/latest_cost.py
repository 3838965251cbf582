#!/usr/bin/env python3
"""Measures what `bakeline latest` needs in addition to its requests: time and peak memory, on a local EC2 that boots nothing.

A relay between bakeline and the local EC2 records when the first request begins and when the last answer ends. The rest of the
duration is the cost of the program: start, settings, connections, output, end."""

import os
import pathlib
import select
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))

from support.catalog import VENDOR, Catalog
from support.run import BAKELINE
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

ROUNDS = 40


class Relay(socketserver.ThreadingTCPServer):
    """Forwards connections to the local EC2 and records the times of requests and answers."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        url = urllib.parse.urlsplit(endpoint)
        self.upstream = (url.hostname, url.port)
        self.own_host = f"127.0.0.1:{self.server_address[1]}\r\n".encode()
        self.upstream_host = f"{url.netloc}\r\n".encode()
        self.requests: list[float] = []
        self.answers: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reset(self) -> None:
        self.requests, self.answers = [], []

    def span(self) -> float:
        """Returns the time from the begin of the first request to the end of the last answer."""
        return max(self.answers) - min(self.requests)


class Connection(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream:
            while True:
                for ready in select.select([self.request, upstream], [], [])[0]:
                    try:
                        data = ready.recv(65536)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    if ready is upstream:
                        self.request.sendall(data)
                        self.server.answers.append(time.monotonic())
                    else:
                        self.server.requests.append(time.monotonic())
                        # The local EC2 answers only requests for its own address.
                        upstream.sendall(data.replace(self.server.own_host, self.server.upstream_host))


def measure_time(relay: Relay, command: list[str], environment: dict[str, str], ami: str) -> tuple[float, float]:
    """Runs the lookup once and returns its duration without and within the requests."""
    relay.reset()
    begun = time.monotonic()
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    if ran.stdout.strip() != ami:
        sys.exit(f"{command} printed {ran.stdout!r}, not {ami}: {ran.stderr}")
    return took - relay.span(), relay.span()


def measure_memory(command: list[str], environment: dict[str, str]) -> float:
    """Returns the peak memory of the lookup in MB, as GNU time reports it."""
    with tempfile.NamedTemporaryFile("r") as report:
        words = ["/usr/bin/time", "-f", "%M", "-o", report.name, *command]
        subprocess.run(words, env=environment, capture_output=True, check=True)
        return int(report.read()) * 1024 / 1e6


def main() -> None:
    """Starts the local EC2, measures, and prints medians."""
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        sandbox = Sandbox(at / "ec2")
        sandbox.up("--backend", "stub")
        try:
            measure(sandbox, at)
        finally:
            sandbox.down()


def measure(sandbox: Sandbox, at: pathlib.Path) -> None:
    """Measures the lookup of one image."""
    catalog = Catalog(sandbox, at / "catalog", "lookup")
    catalog.image("base", source=VENDOR)
    ami = SeededAmis(sandbox, catalog).add("base", 20, {"bakeline:current": HERE})
    parameter = "/bakeline/lookup/base/Test/x86_64"
    sandbox.client("ssm").put_parameter(Name=parameter, Value=ami, Type="String")
    words = ["latest", "base", "--env", "Test", "--catalog", "lookup", "--region", sandbox.region]
    relay = Relay(sandbox.env["AWS_ENDPOINT_URL"])
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    environment = {**sandbox.env, "AWS_ENDPOINT_URL": relay.url}
    command = [BAKELINE, *words]
    times = [measure_time(relay, command, environment, ami) for _ in range(ROUNDS)]
    memory = max(measure_memory(command, environment) for _ in range(5))
    own, requests = (statistics.median(values) * 1000 for values in zip(*times, strict=True))
    print(
        f"latest: {own:.1f} ms in addition to requests of {requests:.1f} ms (goal: 20 ms), {memory:.1f} MB (goal: 25 MB)"
    )


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
