"""The XML of DescribeImages, written directly: moto's serializer needs a millisecond for each AMI."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.core.responses import ActionResult

from .paging import iso

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15">'
)
FIELDS = {  # element: attribute of our Image; as botocore's model has them
    "imageId": "id",
    "imageState": "state",
    "imageOwnerId": "owner_id",
    "isPublic": "public",
    "imageOwnerAlias": "owner_alias",
    "sriovNetSupport": "sriov",
    **{
        word: "".join(f"_{c.lower()}" if c.isupper() else c for c in word)
        for word in "name description architecture platform platformDetails usageOperation enaSupport hypervisor rootDeviceName "
        "rootDeviceType virtualizationType bootMode deprecationTime imdsSupport sourceInstanceId deregistrationProtection "
        "lastLaunchedTime sourceImageId sourceImageRegion imageLocation creationDate imageType kernelId".split()
    },
}


def _xml(name: str, value: Any) -> str:
    """An element, of whatever is given as text, number, dict with EC2's names, or list."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(_xml(member[0].lower() + member[1:], one) for member, one in value.items())
    elif isinstance(value, list):
        inner = "".join(_xml("item", one) for one in value)
    else:
        inner = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{inner}</{name}>"


def _image(image: Any) -> str:
    texts = {element: getattr(image, name) for element, name in FIELDS.items()} | {
        "creationDate": iso(image.creation_date),
        "stateReason": image.state_reason,
        "blockDeviceMapping": image.block_device_mappings,
        "productCodes": [],
        "tagSet": [{"key": tag["key"], "value": tag["value"]} for tag in image.get_tags()] or None,
    }
    return f"<item>{''.join(_xml(element, value) for element, value in texts.items())}</item>"


class Images(ActionResult):
    """DescribeImages' answer."""

    def __init__(self, found: Iterable[Any], token: str | None) -> None:
        super().__init__(found)
        self.token = token

    def execute_result(self, context: Any) -> tuple[int, dict[str, str], str]:
        """The XML."""
        images = "".join(_image(image) for image in self.result)
        rest = _xml("nextToken", self.token) + _xml("requestId", str(uuid.uuid4()))
        return (
            200,
            {"Content-Type": "text/xml"},
            f"{HEAD}<imagesSet>{images}</imagesSet>{rest}</DescribeImagesResponse>",
        )
