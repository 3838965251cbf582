"""Owns reading user data where no cloud-init does: its parts, and a cloud-config that is JSON with its host keys."""

from __future__ import annotations

import contextlib
import email
import json
from email.message import Message
from typing import Any


def parts(data: bytes) -> list[tuple[str, bytes]]:
    """The parts with their MIME types; what is no MIME message is one part, known by its first line."""
    if data.startswith(b"#!"):
        return [("text/x-shellscript", data)]
    if data.startswith(b"#cloud-config"):
        return [("text/cloud-config", data)]
    message: Message = email.message_from_bytes(data)
    if not message.is_multipart():
        return [("text/plain", data)] if data else []
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [(part.get_content_type(), bytes(part.get_payload(decode=True) or b"")) for part in leaves]


def cloud_config(data: bytes) -> dict[str, Any]:
    """Returns the merged cloud-configs of user data that are JSON. YAML that is not JSON is not read here."""
    out: dict[str, Any] = {}
    for kind, text in parts(data):
        if kind == "text/cloud-config":
            with contextlib.suppress(ValueError):
                out |= json.loads(text.removeprefix(b"#cloud-config"))
    return out


def host_keys(data: bytes) -> dict[str, str]:
    """Returns `ssh_keys` of the cloud-config: file name in /etc/ssh and content."""
    out: dict[str, str] = {}
    for name, key in cloud_config(data).get("ssh_keys", {}).items():
        algorithm, _, half = name.partition("_")
        out[f"ssh_host_{algorithm}_key" + (".pub" if half == "public" else "")] = key
    return out
