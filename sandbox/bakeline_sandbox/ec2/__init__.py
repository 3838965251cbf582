"""Extends moto's EC2 with real instances and their disk layers.

Importing the modules replaces methods of moto's classes.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from ..conditions.capacity import INSUFFICIENT
from . import (  # noqa: F401
    auto_scaling,
    cloud_formation,
    encryption,
    image_creation,
    image_lifecycle,
    image_references,
    launch_limits,
    launch_templates,
    run_instances,
    security_groups,
    ssm_parameters,
    ssm_sessions,
    sts_iam,
    tags,
    text_validation,
    vendor_images,
)
from .state import Ec2State, current_state, patch, set_current_state

_moto_call_action = EC2Response.call_action


@patch(EC2Response)
def call_action(self: Any) -> Any:
    """Answers one EC2 call at a time; validates tags, names and descriptions first."""
    with current_state().lock:
        try:
            parameters = getattr(self, "params", None) or {}
            text_validation.validate_texts(self._get_action(), parameters)
            return _set_status(_answer(self))
        except ServiceException as error:
            return self.serialized(ActionResult(error))


def _answer(response: Any) -> Any:
    conditions = current_state().conditions
    with (
        conditions.visibility.hide_new(response),
        conditions.capacity.hide_default_network(response.ec2_backend),
    ):
        return _moto_call_action(response)


def _set_status(answer: Any) -> Any:
    """Sets the HTTP status of EC2's server errors; moto answers 400 for all errors."""
    status, headers, body = answer
    if status == 400 and f"<Code>{INSUFFICIENT}</Code>" in str(body):
        return 500, headers, body
    return answer


def install(state: Ec2State) -> None:
    """Makes the patched moto use this state."""
    set_current_state(state)
    cloud_formation.replace_missing_package()
    vendor_images.reset_releases()
