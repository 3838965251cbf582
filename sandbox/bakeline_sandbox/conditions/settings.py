"""Validates the bodies of control calls that switch conditions on and off."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


class SettingError(ValueError):
    """Control call with a body that is not valid; the text names the member."""


def check_members(body: Any, known: Collection[str], where: str = "the body") -> dict[str, Any]:
    """Returns the body; fails if it is not an object or has unknown members."""
    if not isinstance(body, dict):
        raise SettingError(f"{where} must be an object, and not {body!r}")
    if unknown := sorted(set(body) - set(known)):
        listed = ", ".join(known)
        raise SettingError(f"{where} has an unknown member {unknown[0]!r}; known are: {listed}")
    return body


def check_number(value: Any, where: str, least: float = 0) -> float:
    """Returns a number that is not less than `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
        raise SettingError(f"{where} must be a number of at least {least}, and not {value!r}")
    return value


def check_flag(value: Any, where: str) -> bool:
    """Returns a boolean."""
    if not isinstance(value, bool):
        raise SettingError(f"{where} must be true or false, and not {value!r}")
    return value


def check_text(value: Any, where: str, allowed: Collection[str] = ()) -> str:
    """Returns a text that is not empty; it must be one of `allowed`, if given."""
    if not isinstance(value, str) or not value:
        raise SettingError(f"{where} must be a text, and not {value!r}")
    if allowed and value not in allowed:
        raise SettingError(f"{where} must be one of {', '.join(allowed)}, and not {value!r}")
    return value


def check_list(value: Any, where: str) -> list[Any]:
    """Returns a list."""
    if not isinstance(value, list):
        raise SettingError(f"{where} must be a list, and not {value!r}")
    return value


def check_texts(value: Any, where: str) -> list[str]:
    """Returns a list of texts that are not empty."""
    return [check_text(entry, f"an entry of {where}") for entry in check_list(value, where)]
