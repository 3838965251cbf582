"""The EC2 extension: importing its parts puts our methods on moto's classes; every EC2 call is wrapped here."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from . import imaging, instances, network, others, references, scaling, templates, vendor  # noqa: F401
from .world import World, here, on, refuse, use

_call = EC2Response.call_action


@on(EC2Response)
def call_action(self: Any) -> Any:
    """One EC2 call at a time; tags are checked before anything is made."""
    with here().lock:
        try:
            _check_tags(getattr(self, "params", None) or {})
        except Exception as error:
            return self.serialized(ActionResult(error))
        return _call(self)


def _check_tags(params: dict[str, Any]) -> None:
    specs = [*(params.get("TagSpecifications") or []), *(params.get("TagSpecification") or [])]
    listed = [spec.get("Tags") or [] for spec in specs]
    if any(len(tags) > 50 for tags in listed):
        raise refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    for tag in [*(params.get("Tags") or []), *(tag for tags in listed for tag in tags)]:
        if str(tag.get("Key", "")).lower().startswith("aws:"):
            text = f"Tag keys starting with 'aws:' are reserved for internal use: {tag['Key']}"
            raise refuse("InvalidParameterValue", text)


def install(world: World) -> None:
    """Make moto's EC2 work in this world."""
    use(world)
    vendor.begin()
