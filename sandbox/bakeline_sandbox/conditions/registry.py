"""Holds the conditions of one server and serves them in the control API."""

from __future__ import annotations

from typing import Any, Protocol

from werkzeug.wrappers import Response

from ..api_call import ApiCall
from .capacity import Capacity
from .encryption import Encryption
from .organizations import Organizations
from .policies import Policies
from .rates import Rates
from .realistic import Realistic
from .sessions import Sessions
from .visibility import Visibility
from .web_identities import WebIdentities


class Condition(Protocol):
    """Condition with settings. An empty body switches it off."""

    def describe(self) -> dict[str, Any]:
        """Returns the current settings."""

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all settings; returns the new ones."""


class Conditions:
    """All conditions; `by_name` has the names of the control calls.

    With `is_realistic`, a reset restores realistic conditions instead of switching them off.
    """

    def __init__(self, is_realistic: bool = False) -> None:
        self.is_realistic = is_realistic
        self.reset()

    def reset(self) -> None:
        """Restores the conditions of a new server."""
        self.visibility = Visibility()
        self.policies = Policies()
        self.encryption = Encryption()
        self.capacity = Capacity()
        self.organizations = Organizations()
        self.web_identities = WebIdentities()
        self.rates, self.realistic = Rates(), Realistic(self)
        self.by_name: dict[str, Condition] = {
            "visibility": self.visibility,
            "policies": self.policies,
            "sessions": Sessions(),
            "identities": self.web_identities,
            "encryption": self.encryption,
            "capacity": self.capacity,
            "organizations": self.organizations,
            "rates": self.rates,
            "realistic": self.realistic,
        }
        self.realistic.apply({"on": self.is_realistic})

    def deny_identity(self, call: ApiCall) -> Response | None:
        """Returns the error of a call with an ID token that is not accepted, or None."""
        return self.web_identities.check(call)

    def deny(self, call: ApiCall) -> Response | None:
        """Returns the error of an authenticated call that a condition denies, or None."""
        return self.rates.check(call) or self.policies.check(call)
