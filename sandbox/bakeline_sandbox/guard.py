"""The door: who may call what, every answer in AWS's form, every call in the log.

The access key's id is the secret: moto keeps no request to check a signature against, so signatures are not verified.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from .call import SERVED, Call, JsonLines, parse
from .faults import Faults

LOG = logging.getLogger("bakeline_sandbox")
DENIED = {
    "ec2": "AuthFailure",
    "s3": "InvalidAccessKeyId",
    "ssm": "UnrecognizedClientException",
    "kms": "UnrecognizedClientException",
}
OWN = "/_bakeline/"
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class Guard:
    """The WSGI application that everything comes in by."""

    moto: App
    own: App
    key: str
    log: JsonLines
    principal: Callable[[str], tuple[str, bool] | None]
    command: Callable[[str], str]
    faults: Faults = field(default_factory=Faults)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started, call = time.monotonic(), parse(environ)
        response = self._refuse_browser(environ, call)
        if response is None and environ.get("PATH_INFO", "").startswith(OWN):
            return self.own(environ, start_response)
        response = response or self._refuse_caller(environ, call) or self._fault(call) or self._ask(environ, call)
        for name in [name for name, _ in response.headers if name.lower().startswith("access-control-")]:
            del response.headers[name]
        agent = environ.get("HTTP_USER_AGENT", "")
        self.log.record(call, self._name(call.key), agent, response, time.monotonic() - started)
        self.faults.done(call)
        return response(environ, start_response)

    def _refuse_browser(self, environ: dict[str, Any], call: Call) -> Response | None:
        """A web page must reach nothing here, neither as itself nor by a name that resolves to loopback."""
        if environ.get("HTTP_HOST") not in [f"{name}:{environ['SERVER_PORT']}" for name in ("127.0.0.1", "localhost")]:
            text = f"This Host is not served: use the endpoint that `{self.command('status')}` names."
            return call.error("AccessDenied", text, 403)
        if "HTTP_ORIGIN" in environ:
            return call.error("AccessDenied", "Requests from web pages (with an Origin header) are refused.", 403)
        return None

    def _refuse_caller(self, environ: dict[str, Any], call: Call) -> Response | None:
        environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
        known = self._who(call.key)
        if call.action == "AssumeRoleWithWebIdentity":
            return call.error("AccessDenied", "The sandbox trusts no web identity: use AssumeRole.", 403)
        if known is None:
            code = DENIED.get(call.service, "InvalidClientTokenId" if call.key else "MissingAuthenticationToken")
            text = f"The access key is not this sandbox's: load its environment (`{self.command('status --env')}`)."
            return call.error(code, text, 403)
        if known[1]:
            return call.error("ExpiredToken", "The security token included in the request is expired", 403)
        if call.service not in SERVED:
            text = f"The sandbox serves {', '.join(SERVED)}, not {call.service}."
            return call.error("UnsupportedOperation", text, 400)
        if environ.get("PATH_INFO", "").startswith(("/moto-api", "/latest/")):
            text = f"moto's own interface is not served: use `{self.command('reset')}`."
            return call.error("AccessDenied", text, 403)
        return None

    def _fault(self, call: Call) -> Response | None:
        return self.faults.answer(call, self._name(call.key)) if self.faults.listed else None

    def _ask(self, environ: dict[str, Any], call: Call) -> Response:
        """Moto's answer; where it has none but a page of HTML, an error of AWS's form."""
        try:
            response = Response.from_app(self.moto, environ, buffered=True)
        except Exception as error:
            LOG.warning("%s %s failed", call.service, call.action, exc_info=True)
            text = f"The sandbox can't answer {call.action} as asked ({type(error).__name__}: {error})."
            return call.error("UnsupportedOperation", text, 400)
        html = response.status_code >= 400 and "html" in (response.content_type or "")
        if html and not re.match(rb"\s*<(\?xml|Error)", response.get_data()):
            text = f"The sandbox doesn't serve {call.action or environ.get('PATH_INFO')}."
            return call.error("UnsupportedOperation", text, 400)
        return response

    def _who(self, key: str) -> tuple[str, bool] | None:
        if hmac.compare_digest(key, self.key):
            return "arn:aws:iam::123456789012:root", False
        return self.principal(key) if key else None

    def _name(self, key: str) -> str:
        known = self._who(key)
        return known[0] if known else (f"...{key[-4:]}" if key else "anonymous")
