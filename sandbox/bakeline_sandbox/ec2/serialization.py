"""Renders the XML of DescribeImages; moto's serializer takes one millisecond per AMI."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.core.responses import ActionResult

from .paging import format_time

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15">'
)
_SAME_NAMES = (
    "name description architecture platform platformDetails usageOperation enaSupport hypervisor "
    "rootDeviceName rootDeviceType virtualizationType bootMode deprecationTime imdsSupport "
    "sourceInstanceId deregistrationProtection lastLaunchedTime sourceImageId sourceImageRegion "
    "imageLocation creationDate imageType kernelId"
).split()


def _to_snake_case(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


FIELDS = {  # element of botocore's model: attribute of `images.Image`
    "imageId": "id",
    "imageState": "state",
    "imageOwnerId": "owner_id",
    "isPublic": "public",
    "imageOwnerAlias": "owner_alias",
    "sriovNetSupport": "sriov",
    **{name: _to_snake_case(name) for name in _SAME_NAMES},
}


def _render_element(name: str, value: Any) -> str:
    """Renders a text, number, list, or dict with the member names of the API; "" for None."""
    if value is None:
        return ""
    if isinstance(value, dict):
        members = [(key[0].lower() + key[1:], member) for key, member in value.items()]
        content = "".join(_render_element(key, member) for key, member in members)
    elif isinstance(value, list):
        content = "".join(_render_element("item", item) for item in value)
    else:
        content = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{content}</{name}>"


def _render_image(image: Any) -> str:
    tags = [{"key": tag["key"], "value": tag["value"]} for tag in image.get_tags()]
    elements = {element: getattr(image, attribute) for element, attribute in FIELDS.items()} | {
        "creationDate": format_time(image.creation_date),
        "stateReason": image.state_reason,
        "blockDeviceMapping": image.block_device_mappings,
        "productCodes": [],
        "tagSet": tags or None,
    }
    content = "".join(_render_element(name, value) for name, value in elements.items())
    return f"<item>{content}</item>"


class ImagesResult(ActionResult):
    """Result of DescribeImages."""

    def __init__(self, images: Iterable[Any], token: str | None) -> None:
        super().__init__(images)
        self.token = token

    def execute_result(self, context: Any) -> tuple[int, dict[str, str], str]:
        """Returns status, headers and XML."""
        images = "".join(_render_image(image) for image in self.result)
        token = _render_element("nextToken", self.token)
        request_id = _render_element("requestId", str(uuid.uuid4()))
        body = f"<imagesSet>{images}</imagesSet>{token}{request_id}</DescribeImagesResponse>"
        return 200, {"Content-Type": "text/xml"}, HEAD + body
