"""Implements SSM parameters of type aws:ec2:image, which SSM validates and writes later."""

from __future__ import annotations

import threading
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from .state import current_state, patch

_moto_put_parameter = SimpleSystemManagerResponse.put_parameter


@patch(SimpleSystemManagerResponse)
def put_parameter(self: Any) -> ActionResult:
    """Implements PutParameter.

    Like AWS, accepts a value that is not an available AMI, but does not write it.
    """
    existing = self.ssm_backend.get_parameter(self._get_param("Name"))
    is_image = self._get_param("DataType") == "aws:ec2:image"
    if not is_image or (existing and not self._get_param("Overwrite")):
        return _moto_put_parameter(self)
    with current_state().lock:
        ec2 = ec2_backends[self.current_account][self.region]
        filters = {"image-id": self._get_param("Value"), "state": "available"}
        images = ec2.describe_images(filters=filters)
    delay = current_state().parameter_delay
    if images and not delay:
        return _moto_put_parameter(self)
    if images:
        threading.Timer(delay, _moto_put_parameter, (self,)).start()
    version = (existing.version if existing else 0) + 1
    return ActionResult({"Version": version, "Tier": "Standard"})
