"""The EC2 extension: importing its parts puts our methods on moto's classes; every EC2 call is wrapped here."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from . import imaging, instances, network, others, references, scaling, templates, texts, vendor  # noqa: F401
from .world import World, here, on, use

_call = EC2Response.call_action


@on(EC2Response)
def call_action(self: Any) -> Any:
    """Answers one EC2 call at a time; tags, names and descriptions are checked first."""
    with here().lock:
        try:
            texts.check(self._get_action(), getattr(self, "params", None) or {})
        except Exception as error:
            return self.serialized(ActionResult(error))
        return _call(self)


def install(world: World) -> None:
    """Make moto's EC2 work in this world."""
    use(world)
    vendor.begin()
