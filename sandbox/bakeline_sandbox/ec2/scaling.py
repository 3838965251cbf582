"""Auto Scaling groups: kept and described by moto, never filled with instances."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse

from .world import here, on

_call, _set = AutoScalingResponse.call_action, FakeAutoScalingGroup.set_desired_capacity


@on(AutoScalingResponse)
def call_action(self: Any) -> Any:
    """It reads the EC2 backend, so it takes turns with EC2's calls."""
    with here().lock:
        return _call(self)


@on(FakeAutoScalingGroup)
def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
    """A group of none is what the sandbox can keep: it refers to an image and starts nothing."""
    if wanted := self.min_size if new_capacity is None else new_capacity:
        text = f"The sandbox keeps Auto Scaling groups without instances only: a desired capacity of 0, not {wanted}."
        raise ValidationError(text)
    _set(self, new_capacity)
