"""Encodes the details of a denied request, as the messages of EC2 contain them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from .policy_documents import Request

_DIGEST_BYTES = 32


class MessageCipher:
    """Encodes and decodes the messages of one server."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)

    def encode(self, details: dict[str, Any]) -> str:
        """Returns an opaque text."""
        content = json.dumps(details, separators=(",", ":")).encode()
        digest = hmac.digest(self.key, content, "sha256")
        return base64.urlsafe_b64encode(digest + self._mask(content, digest)).decode().rstrip("=")

    def decode(self, text: str) -> str | None:
        """Returns the details as JSON, or None if the text is not from this server."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        digest, content = data[:_DIGEST_BYTES], b""
        content = self._mask(data[_DIGEST_BYTES:], digest)
        is_own = hmac.compare_digest(hmac.digest(self.key, content, "sha256"), digest)
        return content.decode() if is_own else None

    def _mask(self, content: bytes, seed: bytes) -> bytes:
        """Combines the content with a stream of bytes; applied twice, it restores the content."""
        stream = bytearray()
        for number in count():
            if len(stream) >= len(content):
                break
            stream += hashlib.sha256(self.key + seed + number.to_bytes(4)).digest()
        return bytes(left ^ right for left, right in zip(content, stream, strict=False))


def describe_failure(
    request: Request, caller: str, explicit: bool, statement: dict[str, Any] | None
) -> dict[str, Any]:
    """Returns the details of a denied request, in the format of DecodeAuthorizationMessage."""
    matched = []
    if statement is not None:
        sets = (statement.get("Condition") or {}).values()
        compared = {key: _as_list(values) for members in sets for key, values in members.items()}
        conditions = _list_conditions(compared)
        sid = statement.get("Sid", "")
        matched.append({"statementId": sid, "effect": "DENY", "conditions": {"items": conditions}})
    return {
        "allowed": False,
        "explicitDeny": explicit,
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": {"id": caller.rpartition("/")[2], "arn": caller},
            "action": request.action,
            "resource": request.resource,
            "conditions": {"items": _list_conditions(request.keys)},
        },
    }


def _list_conditions(keys: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"key": key, "values": {"items": [{"value": value} for value in values]}}
        for key, values in sorted(keys.items())
    ]


def _as_list(values: Any) -> list[str]:
    return values if isinstance(values, list) else [str(values)]
