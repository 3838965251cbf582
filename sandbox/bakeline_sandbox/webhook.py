"""A Slack-compatible incoming webhook that checks a message as Slack does and records it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from .call import JsonLines

BLOCKS = "section header divider context actions image rich_text input video file markdown table".split()
ELEMENTS = {"context": 10, "actions": 25}


class Webhook:
    """One webhook; its token is in its address."""

    def __init__(self, token: str, log: Path) -> None:
        self.token, self.log, self._lock = token, JsonLines(log), threading.Lock()
        self.plan(0, 0, 0)

    def plan(self, status: int, retry_after: int, times: int) -> None:
        """Answer the next requests with an error."""
        with self._lock:
            self._planned = [(status, retry_after)] * times

    def answer(self, request: Request) -> Response:
        """Take one message."""
        body = request.get_data()
        try:
            payload = json.loads(body)
        except ValueError:
            payload = body.decode("utf-8", "replace")[:2000]
        status, text, headers = self._verdict(request.method, payload)
        self.log.append(status=status, answer=text, payload=payload)
        return Response(text, status=status, content_type="text/plain", headers=headers)

    def _verdict(self, method: str, payload: Any) -> tuple[int, str, dict[str, str]]:
        with self._lock:
            if self._planned:
                status, retry_after = self._planned.pop()
                limited = status == 429
                headers = {"Retry-After": str(retry_after)} if limited else {}
                return status, "rate_limited" if limited else "server_error", headers
        if method != "POST" or not isinstance(payload, dict):
            return 400, "invalid_payload", {}
        text, blocks = payload.get("text"), payload.get("blocks")
        if not text and not blocks:
            return 400, "no_text", {}
        if not isinstance(text, str | None):
            return 400, "invalid_payload", {}
        if blocks is not None and not (_listed(blocks, 50, 0) and all(map(_right, blocks))):
            return 400, "invalid_blocks", {}
        return 200, "ok", {}


def _right(block: Any) -> bool:
    """Block Kit's limits of one block."""
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in BLOCKS or len(str(block.get("block_id", ""))) > 255:
        return False
    if kind == "header":
        return _text(block.get("text"), 150) and block["text"]["type"] == "plain_text"
    if kind == "section":
        fields = block.get("fields", [])
        fine = _listed(fields, 10, 0) and all(_text(field, 2000) for field in fields)
        return fine and (_text(block["text"], 3000) if "text" in block else bool(fields))
    if kind in ELEMENTS:
        parts = block.get("elements")
        fine = _listed(parts, ELEMENTS[kind], 1)
        return fine and (kind == "actions" or all(_image(part) or _text(part, 3000) for part in parts))
    return kind != "image" or _image(block)


def _listed(value: Any, most: int, least: int) -> bool:
    return isinstance(value, list) and least <= len(value) <= most


def _text(text: Any, limit: int) -> bool:
    known = isinstance(text, dict) and text.get("type") in ("plain_text", "mrkdwn")
    return known and isinstance(text.get("text"), str) and 1 <= len(text["text"]) <= limit


def _image(part: Any) -> bool:
    fine = isinstance(part, dict) and part.get("type") == "image"
    return fine and 1 <= len(str(part.get("alt_text", ""))) <= 2000
