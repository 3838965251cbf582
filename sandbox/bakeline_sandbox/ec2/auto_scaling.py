"""Limits Auto Scaling groups to those without instances, which moto can store and describe."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse

from .state import current_state, patch

_moto_call_action = AutoScalingResponse.call_action
_moto_set_desired_capacity = FakeAutoScalingGroup.set_desired_capacity


@patch(AutoScalingResponse)
def call_action(self: Any) -> Any:
    """Answers a call with EC2's lock, because Auto Scaling reads the EC2 backend."""
    with current_state().lock:
        return _moto_call_action(self)


@patch(FakeAutoScalingGroup)
def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
    """Sets a capacity of 0; fails for other values, because no instance would be launched."""
    if capacity := self.min_size if new_capacity is None else new_capacity:
        text = (
            "The sandbox keeps Auto Scaling groups without instances only: "
            f"a desired capacity of 0, not {capacity}."
        )
        raise ValidationError(text)
    _moto_set_desired_capacity(self, new_capacity)
