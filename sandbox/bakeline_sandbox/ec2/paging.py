"""Implements EC2's filters with wildcards, and pages that stay correct while items are deleted."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from moto.ec2 import utils

from .state import client_error, patch

_ATTRIBUTES = {"image-id": "id", "snapshot-id": "id"}
_WILDCARDS = {"*": ".*", "?": "."}
_TAG_FILTERS = ("tag-key", "tag-value")


def format_time(moment: datetime) -> str:
    """Returns a time in EC2's format."""
    return moment.isoformat(timespec="milliseconds") + "Z"


@cache
def _compile_pattern(text: str) -> re.Pattern[str]:
    r"""Compiles a filter value: `*` and `?` are wildcards, `\*` and `\?` the characters."""
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    pattern = "".join(_WILDCARDS.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(pattern, re.DOTALL)


def _filter_values(item: Any, name: str) -> list[str]:
    """Returns the values of an item that a filter compares."""
    if name.startswith("tag:"):
        return [tag["value"] for tag in item.get_tags() if tag["key"] == name[4:]]
    if name in _TAG_FILTERS:
        return [tag[name[4:]] for tag in item.get_tags()]
    _, _, disk_member = name.partition("block-device-mapping.")
    if disk_member:
        mapping = item.block_device_mappings[0]
        member = "".join(word.title() for word in disk_member.split("-"))
        value = (mapping | mapping["Ebs"])[member]
    else:
        value = getattr(item, _ATTRIBUTES.get(name) or name.replace("-", "_"))
    if isinstance(value, bool):
        return [str(value).lower()]
    if value is None:
        return []
    return [format_time(value) if isinstance(value, datetime) else str(value)]


_moto_is_filter_matching = utils.is_filter_matching


@patch(utils)
def is_filter_matching(obj: Any, _filter: str, filter_value: Any) -> bool:
    """Applies tag filters as EC2 does; moto requires all keys of a `tag-key` filter."""
    if not _filter.startswith("tag:") and _filter not in _TAG_FILTERS:
        return bool(_moto_is_filter_matching(obj, _filter, filter_value))
    patterns = [filter_value] if isinstance(filter_value, str) else filter_value
    return _matches_any(_filter_values(obj, _filter), patterns)


def filter_items(
    items: list[Any], filters: Mapping[str, Any] | None, known: Collection[str]
) -> list[Any]:
    """Returns the items that match all filters; an item matches a filter by any of its values."""
    for name, value in (filters or {}).items():
        if name not in known and name not in _TAG_FILTERS and not name.startswith("tag:"):
            raise client_error("InvalidParameterValue", f"The filter '{name}' is invalid")
        patterns = [value] if isinstance(value, str) else value
        items = [item for item in items if _matches_any(_filter_values(item, name), patterns)]
    return items


def _matches_any(values: list[str], patterns: list[Any]) -> bool:
    compiled = [_compile_pattern(str(pattern)) for pattern in patterns]
    return any(pattern.fullmatch(value) for value in values for pattern in compiled)


def paginate(
    response: Any,
    items: list[Any],
    time_attribute: str,
    least: int,
    has_ids: bool,
    most: int = 1000,
    default: int | None = None,
) -> tuple[list[Any], str | None]:
    """Returns one page of the items, oldest first, and the token of the next page.

    `least` and `most` limit MaxResults. Without MaxResults, a page has `default` items, or all.
    A token contains time and ID of the next item, so it stays valid when items are deleted.
    """
    limit, token = response._get_param("MaxResults"), response._get_param("NextToken")
    if has_ids and limit is not None:
        text = "MaxResults can't be used together with a list of ids."
        raise client_error("InvalidParameterCombination", text)
    if limit is not None and not least <= int(limit) <= most:
        text = f"MaxResults must be from {least} to {most}, and not {limit}."
        raise client_error("InvalidParameterValue", text)
    entries = [([format_time(getattr(item, time_attribute)), item.id], item) for item in items]
    entries.sort(key=lambda entry: entry[0])
    if token:
        start = _decode_token(token)
        entries = [entry for entry in entries if entry[0] >= start]
    size = len(entries) if default is None else default
    if limit is not None:
        size = int(limit)
    page = [item for _, item in entries[:size]]
    return page, _encode_token(entries[size][0]) if size < len(entries) else None


def _encode_token(position: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _decode_token(token: str) -> list[str]:
    try:
        position: list[str] = json.loads(base64.urlsafe_b64decode(token))
        return position
    except ValueError:
        text = "NextToken is not one that this API gave out."
        raise client_error("InvalidParameterValue", text) from None
