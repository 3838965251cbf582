"""One API call as the WSGI layer sees it, errors in the called service's own form, and the log of calls."""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

SERVED = ("ec2", "ssm", "sts", "iam", "kms", "s3", "autoscaling")
BODY_LIMIT = 4 << 20
CREDENTIAL = re.compile(r"Credential=([A-Z0-9]{16,128})/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
RESOURCE = re.compile(
    r"(Resource|(Source)?Image|Instance|Snapshot|Volume|Group|KeyPair|LaunchTemplate)Id(\.\d+)?$|(KeyName|RoleArn)(\.\d+)?$"
)
CODE = re.compile(rb"<Code>([^<]{1,100})</Code>|\"__type\":\s*\"([^\"]{1,100})\"")
ONE = "<Error><Code>{code}</Code><Message>{text}</Message>"
FORMS = {
    "ec2": f"<Response><Errors>{ONE}</Error></Errors><RequestID>{{id}}</RequestID></Response>",
    "s3": ONE + "<RequestId>{id}</RequestId></Error>",
    "": f"<ErrorResponse>{ONE}<Type>Sender</Type></Error><RequestId>{{id}}</RequestId></ErrorResponse>",
}


@dataclass
class Call:
    """What is known of a call before anybody answers it."""

    service: str = ""
    region: str = ""
    action: str = ""
    key: str = ""
    json: bool = False
    resources: dict[str, str] = field(default_factory=dict)

    def error(self, code: str, message: str, status: int) -> Response:
        """An error as the called service would write it."""
        request, kind = str(uuid.uuid4()), "text/xml"
        if self.json or not (self.service or self.action):
            body, kind = json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1"
        else:
            body = FORMS.get(self.service, FORMS[""]).format(code=code, text=escape(message), id=request)
        return Response(body, status=status, content_type=kind, headers={"x-amzn-RequestId": request})


def parse(environ: dict[str, Any]) -> Call:
    """Read a request's head, and its body when that is a form or JSON; the body can be read again."""
    request, call, body = Request(environ), Call(), b""
    signed = request.headers.get("Authorization") or f"Credential={request.args.get('X-Amz-Credential', '')}"
    if found := CREDENTIAL.search(signed):
        call.key, call.region, call.service = found.groups()
    if call.service == "s3":
        call.action, call.resources = request.method, {"Path": request.path}
        return call
    readable = request.mimetype.endswith(("form-urlencoded", "json", "json-1.0", "json-1.1"))
    if readable and 0 < (request.content_length or 0) <= BODY_LIMIT:
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
    if target := request.headers.get("X-Amz-Target"):
        call.action, call.json = target.rpartition(".")[2], True
        call.resources = _from_json(body)
    else:
        form = request.args.to_dict() | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        call.action = form.get("Action", "")
        call.resources = {name: value for name, value in form.items() if RESOURCE.match(name)}
    return call


def _from_json(body: bytes) -> dict[str, str]:
    try:
        values = json.loads(body or b"{}")
        return {name: str(values[name]) for name in ("Name", "KeyId", "DataType") if values.get(name)}
    except (ValueError, AttributeError):
        return {}


class JsonLines:
    """A file of JSON lines with their time, that several threads append to."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()

    def append(self, **line: Any) -> None:
        """Add one line."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock, self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"time": time, **line}) + "\n")

    def record(self, call: Call, caller: str, agent: str, response: Response, seconds: float) -> None:
        """Add one answered API call, without anything secret."""
        found = CODE.search(response.get_data()) if response.status_code >= 400 else None
        account = re.match(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):", caller)
        self.append(
            service=call.service or None,
            action=call.action or None,
            region=call.region or None,
            account=account[1] if account else None,
            caller=caller,
            user_agent=agent[:200],
            status=response.status_code,
            error=(found[1] or found[2]).decode("utf-8", "replace") if found else None,
            duration_ms=round(seconds * 1000, 1),
            resources={name: value[:200] for name, value in list(call.resources.items())[:20]},
        )
