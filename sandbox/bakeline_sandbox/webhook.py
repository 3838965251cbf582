"""Imitates a Slack incoming webhook: validates messages as Slack does, and logs them."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from .json_lines import JsonLines

BLOCK_TYPES = (
    "section header divider context actions image rich_text input video file markdown table"
).split()
MAX_BLOCKS, MAX_FIELDS = 50, 10
MAX_ELEMENTS = {"context": 10, "actions": 25}
Verdict = tuple[int, str, dict[str, str]]  # status, body and headers


class SlackWebhook:
    """Webhook whose URL contains its token."""

    def __init__(self, token: str, log: Path) -> None:
        self.token, self.log, self._lock = token, JsonLines(log), threading.Lock()
        self.plan_errors(0, 0, 0)

    def plan_errors(self, status: int, retry_after: int, times: int) -> None:
        """Plans errors for the next requests; replaces those planned before."""
        with self._lock:
            self._planned = [(status, retry_after)] * times

    def respond(self, request: Request) -> Response:
        """Validates and logs a message."""
        body = request.get_data()
        try:
            payload = json.loads(body)
        except ValueError:
            payload = body.decode("utf-8", "replace")[:2000]
        status, text, headers = self._planned_error() or _validate(request.method, payload)
        self.log.append(status=status, answer=text, payload=payload)
        return Response(text, status=status, content_type="text/plain", headers=headers)

    def _planned_error(self) -> Verdict | None:
        with self._lock:
            if not self._planned:
                return None
            status, retry_after = self._planned.pop()
        if status == 429:
            return status, "rate_limited", {"Retry-After": str(retry_after)}
        return status, "server_error", {}


def _validate(method: str, payload: Any) -> Verdict:
    if method != "POST" or not isinstance(payload, dict):
        return 400, "invalid_payload", {}
    text, blocks = payload.get("text"), payload.get("blocks")
    if not text and not blocks:
        return 400, "no_text", {}
    if not isinstance(text, str | None):
        return 400, "invalid_payload", {}
    if blocks is not None and not _are_valid_blocks(blocks):
        return 400, "invalid_blocks", {}
    return 200, "ok", {}


def _are_valid_blocks(blocks: Any) -> bool:
    return _is_list(blocks, 0, MAX_BLOCKS) and all(_is_valid_block(block) for block in blocks)


def _is_valid_block(block: Any) -> bool:
    """Returns True if the block is within the limits of Block Kit."""
    block_type = block.get("type") if isinstance(block, dict) else None
    if block_type not in BLOCK_TYPES or len(str(block.get("block_id", ""))) > 255:
        return False
    if block_type == "header":
        return _is_text(block.get("text"), 150) and block["text"]["type"] == "plain_text"
    if block_type == "section":
        return _is_valid_section(block)
    if block_type in MAX_ELEMENTS:
        elements = block.get("elements")
        if not _is_list(elements, 1, MAX_ELEMENTS[block_type]):
            return False
        return block_type == "actions" or all(
            _is_image(element) or _is_text(element, 3000) for element in elements
        )
    return block_type != "image" or _is_image(block)


def _is_valid_section(block: dict[str, Any]) -> bool:
    fields = block.get("fields", [])
    if not _is_list(fields, 0, MAX_FIELDS) or not all(_is_text(field, 2000) for field in fields):
        return False
    return _is_text(block["text"], 3000) if "text" in block else bool(fields)


def _is_list(value: Any, least: int, most: int) -> bool:
    return isinstance(value, list) and least <= len(value) <= most


def _is_text(value: Any, limit: int) -> bool:
    if not isinstance(value, dict) or value.get("type") not in ("plain_text", "mrkdwn"):
        return False
    return isinstance(value.get("text"), str) and 1 <= len(value["text"]) <= limit


def _is_image(element: Any) -> bool:
    is_image = isinstance(element, dict) and element.get("type") == "image"
    return is_image and 1 <= len(str(element.get("alt_text", ""))) <= 2000
