"""Parses user data for instances without cloud-init.

Of cloud-config, only documents in JSON are read.
"""

from __future__ import annotations

import contextlib
import email
import json
from email.message import Message
from typing import Any

SHELL_SCRIPT, CLOUD_CONFIG = "text/x-shellscript", "text/cloud-config"
_CLOUD_CONFIG_HEADER = b"#cloud-config"


def parse_parts(user_data: bytes) -> list[tuple[str, bytes]]:
    """Returns the parts with their MIME types.

    Data that is not a multipart message is one part; its first line determines the type.
    """
    if user_data.startswith(b"#!"):
        return [(SHELL_SCRIPT, user_data)]
    if user_data.startswith(_CLOUD_CONFIG_HEADER):
        return [(CLOUD_CONFIG, user_data)]
    message: Message = email.message_from_bytes(user_data)
    if not message.is_multipart():
        return [("text/plain", user_data)] if user_data else []
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [
        (part.get_content_type(), bytes(part.get_payload(decode=True) or b"")) for part in leaves
    ]


def parse_cloud_config(user_data: bytes) -> dict[str, Any]:
    """Returns the merged cloud-configs; ignores those that are not JSON."""
    merged: dict[str, Any] = {}
    for mime_type, text in parse_parts(user_data):
        if mime_type == CLOUD_CONFIG:
            with contextlib.suppress(ValueError):
                merged |= json.loads(text.removeprefix(_CLOUD_CONFIG_HEADER))
    return merged


def parse_host_keys(user_data: bytes) -> dict[str, str]:
    """Returns the `ssh_keys` of the cloud-config as file names in /etc/ssh with their contents."""
    files: dict[str, str] = {}
    for name, key in parse_cloud_config(user_data).get("ssh_keys", {}).items():
        algorithm, _, half = name.partition("_")
        files[f"ssh_host_{algorithm}_key" + (".pub" if half == "public" else "")] = key
    return files
