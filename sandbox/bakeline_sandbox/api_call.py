"""Parses API requests and renders errors in the format of the called AWS service."""

from __future__ import annotations

import io
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

MAX_BODY_BYTES = 4 << 20
_CREDENTIAL = re.compile(
    r"Credential=([A-Z0-9]{16,128})/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request"
)
_FORM_TYPES = ("form-urlencoded", "json", "json-1.0", "json-1.1")
_RESOURCE_PARAMETER = re.compile(
    r"(Resource|(Source)?Image|Instance|Snapshot|Volume|Group|KeyPair|LaunchTemplate)Id(\.\d+)?$"
    r"|(KeyName|RoleArn)(\.\d+)?$|(RoleSessionName|ExternalId|Policy)$"
    r"|InstanceType$|(NetworkInterface\.\d+\.)?SubnetId$"
)
_RESOURCE_MEMBERS = ("Name", "KeyId", "DataType")
_ERROR = "<Error><Code>{code}</Code><Message>{text}</Message>"
_ERROR_FORMATS = {
    "ec2": f"<Response><Errors>{_ERROR}</Error></Errors><RequestID>{{id}}</RequestID></Response>",
    "s3": _ERROR + "<RequestId>{id}</RequestId></Error>",
}
_DEFAULT_ERROR_FORMAT = (
    f"<ErrorResponse>{_ERROR}<Type>Sender</Type></Error>"
    "<RequestId>{id}</RequestId></ErrorResponse>"
)


@dataclass
class ApiCall:
    """Service, action, caller's key and named resources of one API request."""

    service: str = ""
    region: str = ""
    action: str = ""
    access_key: str = ""
    caller: str = ""  # ARN of an authenticated caller
    is_json: bool = False
    resources: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)  # a flat form, or the JSON document
    method: str = ""
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # of S3, with lower-case names
    via: str = ""  # host of the service that makes the call for the caller
    is_reset: bool = False  # a fault closes the connection instead of sending the answer

    @property
    def is_dry_run(self) -> bool:
        """True for a call of EC2 that only checks permissions."""
        return str(self.parameters.get("DryRun", "")).lower() == "true"

    def error_response(self, code: str, message: str, status: int) -> Response:
        """Returns an error in the format of the called service."""
        request_id, content_type = str(uuid.uuid4()), "text/xml"
        if self.is_json or not (self.service or self.action):
            body = json.dumps({"__type": code, "message": message})
            content_type = "application/x-amz-json-1.1"
        else:
            template = _ERROR_FORMATS.get(self.service, _DEFAULT_ERROR_FORMAT)
            body = template.format(code=code, text=escape(message), id=request_id)
        headers = {"x-amzn-RequestId": request_id}
        return Response(body, status=status, content_type=content_type, headers=headers)


def parse_call(environ: dict[str, Any]) -> ApiCall:
    """Parses the headers of a request, and its body if it is a form or JSON.

    Replaces `wsgi.input`, so that the body can be read again.
    """
    request, call = Request(environ), ApiCall()
    presigned = f"Credential={request.args.get('X-Amz-Credential', '')}"
    if found := _CREDENTIAL.search(request.headers.get("Authorization") or presigned):
        call.access_key, call.region, call.service = found.groups()
    if call.service == "s3":
        call.action, call.resources = request.method, {"Path": request.path}
        call.method, call.path, call.query = request.method, request.path, request.args.to_dict()
        call.headers = {name.lower(): value for name, value in request.headers.items()}
        if call.method == "POST" and "delete" in call.query:
            call.parameters = {"Keys": _read_deleted_keys(_read_any_body(request, environ))}
        return call
    body = _read_body(request, environ)
    if target := request.headers.get("X-Amz-Target"):
        call.action, call.is_json = target.rpartition(".")[2], True
        call.parameters = _read_document(body)
        call.resources = {
            name: str(call.parameters[name])
            for name in _RESOURCE_MEMBERS
            if call.parameters.get(name)
        }
    else:
        text = body.decode("utf-8", "replace")
        form = request.args.to_dict() | dict(parse_qsl(text, keep_blank_values=True))
        call.action, call.parameters = form.get("Action", ""), form
        call.resources = {
            name: value for name, value in form.items() if _RESOURCE_PARAMETER.match(name)
        }
    return call


def _read_deleted_keys(body: bytes) -> list[str]:
    """Returns the keys in the body of DeleteObjects."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return []
    return [element.text or "" for element in root.iter() if element.tag.endswith("Key")]


def _read_body(request: Request, environ: dict[str, Any]) -> bytes:
    is_readable = request.mimetype.endswith(_FORM_TYPES)
    return _read_any_body(request, environ) if is_readable else b""


def _read_any_body(request: Request, environ: dict[str, Any]) -> bytes:
    if not 0 < (request.content_length or 0) <= MAX_BODY_BYTES:
        return b""
    body = request.get_data()
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _read_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
