"""Implements idempotent requests with a ClientToken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult

from .state import client_error, current_state


def run_idempotently(response: Any, action: Callable[[], ActionResult]) -> ActionResult:
    """Runs an action; returns the first result if the request repeats a ClientToken."""
    token = response._get_param("ClientToken")
    if not token or response._get_param("DryRun"):
        return action()
    key = (response._get_action(), response.current_account, response.region, token)
    parameters = json.dumps(response.params, sort_keys=True, default=str)
    digest = hashlib.sha256(parameters.encode()).hexdigest()
    first_digest, result = current_state().client_tokens.get(key, (digest, None))
    if first_digest != digest:
        text = f"The client token {token} was used before with other parameters."
        raise client_error("IdempotentParameterMismatch", text)
    if result is None:
        result = action()._result
        current_state().client_tokens[key] = (digest, result)
    return ActionResult(result)
