"""Holds the conditions of one server and serves them in the control API."""

from __future__ import annotations

from typing import Any, Protocol

from .visibility import Visibility


class Condition(Protocol):
    """Condition with settings. An empty body switches it off."""

    def describe(self) -> dict[str, Any]:
        """Returns the current settings."""

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all settings; returns the new ones."""


class Conditions:
    """All conditions; `by_name` has the names of the control calls."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Switches all conditions off."""
        self.visibility = Visibility()
        self.by_name: dict[str, Condition] = {"visibility": self.visibility}
