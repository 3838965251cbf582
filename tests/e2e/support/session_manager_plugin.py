#!/usr/bin/env python3
"""Stand-in for the session-manager-plugin of AWS, which needs a WebSocket of Systems Manager.

Takes the arguments of the real plugin: the answer of StartSession, the Region, the operation, a profile, the parameters of
StartSession, and the endpoint. Connects to the TCP address in the answer's `StreamUrl`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading


def copy_stream(source: int | socket.socket, destination: int | socket.socket) -> None:
    """Copies until the end of the source, which it passes on."""
    while data := os.read(source, 65536) if isinstance(source, int) else source.recv(65536):
        if isinstance(destination, int):
            os.write(destination, data)
        else:
            destination.sendall(data)
    if not isinstance(destination, int):
        destination.shutdown(socket.SHUT_WR)


def forward(client: socket.socket, address: tuple[str, int]) -> None:
    with client, socket.create_connection(address) as session:
        threading.Thread(target=copy_stream, args=(client, session), daemon=True).start()
        copy_stream(session, client)


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        print("1.2.694.0")
        return
    answer = json.loads(os.environ.get(sys.argv[1], sys.argv[1]))
    parameters = json.loads(sys.argv[5])
    host, port = answer["StreamUrl"].removeprefix("tcp://").split(":")
    address = (host, int(port))
    if parameters["DocumentName"] == "AWS-StartSSHSession":
        with socket.create_connection(address) as session:
            threading.Thread(target=copy_stream, args=(0, session), daemon=True).start()
            copy_stream(session, 1)
        return
    [local] = parameters["Parameters"]["localPortNumber"]
    with socket.create_server(("127.0.0.1", int(local))) as server:
        print(f"Port {local} opened for sessionId {answer['SessionId']}.\nWaiting for connections...", flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=forward, args=(client, address), daemon=True).start()


if __name__ == "__main__":
    main()
