"""Filters with EC2's wildcards, and pages that stay right when something is deleted between them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from moto.ec2 import utils

from .world import on, refuse

IDS = {"image-id": "id", "snapshot-id": "id"}


def iso(moment: datetime) -> str:
    """A moment as EC2 writes it."""
    return moment.isoformat(timespec="milliseconds") + "Z"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """EC2's wildcards: `*`, `?`, and a backslash before either for the character itself."""
    wild = {"*": ".*", "?": "."}
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def _texts(item: Any, name: str) -> list[str]:
    kind, _, rest = name.partition("block-device-mapping.")
    if name.startswith("tag:"):
        return [tag["value"] for tag in item.get_tags() if tag["key"] == name[4:]]
    if name in ("tag-key", "tag-value"):
        return [tag[name[4:]] for tag in item.get_tags()]
    if rest:
        disk = item.block_device_mappings[0]
        value = (disk | disk["Ebs"])["".join(word.title() for word in rest.split("-"))]
    else:
        value = getattr(item, IDS.get(kind) or kind.replace("-", "_"))
    if isinstance(value, bool):
        return [str(value).lower()]
    return [] if value is None else [iso(value) if isinstance(value, datetime) else str(value)]


_matching = utils.is_filter_matching


@on(utils)
def is_filter_matching(obj: Any, _filter: str, filter_value: Any) -> bool:
    """Moto's filters of what is not ours: on tags like EC2's, where moto wants several keys all at once."""
    if not _filter.startswith("tag:") and _filter not in ("tag-key", "tag-value"):
        return bool(_matching(obj, _filter, filter_value))
    wanted = [filter_value] if isinstance(filter_value, str) else filter_value
    return any(_pattern(str(value)).fullmatch(text) for text in _texts(obj, _filter) for value in wanted)


def select(items: list[Any], filters: Mapping[str, Any] | None, known: Collection[str]) -> list[Any]:
    """The items that match one of the values of every filter."""
    for name, wanted in (filters or {}).items():
        if name not in known and name not in ("tag-key", "tag-value") and not name.startswith("tag:"):
            raise refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
        patterns = [_pattern(str(value)) for value in ([wanted] if isinstance(wanted, str) else wanted)]
        items = [item for item in items if any(p.fullmatch(text) for text in _texts(item, name) for p in patterns)]
    return items


def page(
    call: Any, items: list[Any], moment: str, least: int, ids: bool, most: int = 1000, default: int | None = None
) -> tuple[list[Any], str | None]:
    """Returns one page of the items, oldest first, and the token of the next page, which names its first item.

    `least` and `most` bound MaxResults; without MaxResults a page has `default` items, or all.
    """
    limit, token = call._get_param("MaxResults"), call._get_param("NextToken")
    if ids and limit is not None:
        raise refuse("InvalidParameterCombination", "MaxResults can't be used together with a list of ids.")
    if limit is not None and not least <= int(limit) <= most:
        raise refuse("InvalidParameterValue", f"MaxResults must be from {least} to {most}, and not {limit}.")
    ordered = sorted((([iso(getattr(item, moment)), item.id], item) for item in items), key=lambda entry: entry[0])
    if token:
        try:
            start = json.loads(base64.urlsafe_b64decode(token))
        except ValueError:
            raise refuse("InvalidParameterValue", "NextToken is not one that this API gave out.") from None
        ordered = [entry for entry in ordered if entry[0] >= start]
    size = int(limit) if limit is not None else len(ordered) if default is None else default
    following = ordered[size : size + 1]
    shown = [item for _, item in ordered[:size]]
    return shown, base64.urlsafe_b64encode(json.dumps(following[0][0]).encode()).decode() if following else None
