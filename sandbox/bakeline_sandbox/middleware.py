"""Authenticates, logs and, on request, fails all calls before they reach moto.

The access key ID is the secret. Signatures are not verified, because moto does not keep the
request that a signature covers.
"""

from __future__ import annotations

import hmac
import logging
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from .api_call import ApiCall, parse_call
from .faults import FaultList
from .json_lines import JsonLines

LOG = logging.getLogger("bakeline_sandbox")
SERVICES = ("ec2", "ssm", "sts", "iam", "kms", "s3", "autoscaling", "cloudformation")
MAX_VALUE = 2048
"""Longest logged value: that of a session policy."""
CONTROL_PREFIX = "/_bakeline/"
ROOT_ARN = "arn:aws:iam::123456789012:root"
_UNKNOWN_KEY_CODES = {
    "ec2": "AuthFailure",
    "s3": "InvalidAccessKeyId",
    "ssm": "UnrecognizedClientException",
    "kms": "UnrecognizedClientException",
}
_DEFAULT_EXPIRED_ERROR = (
    "ExpiredToken",
    "The security token included in the request is expired",
)
_EXPIRED_ERRORS = {
    "ec2": ("RequestExpired", "Request has expired."),
    "s3": ("ExpiredToken", "The provided token has expired."),
    "ssm": ("ExpiredTokenException", _DEFAULT_EXPIRED_ERROR[1]),
    "kms": ("ExpiredTokenException", _DEFAULT_EXPIRED_ERROR[1]),
}
_ERROR_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>|\"__type\":\s*\"([^\"]{1,100})\"")
_ACCOUNT = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):")
_XML_ERROR = re.compile(rb"\s*<(\?xml|Error)")
WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class Middleware:
    """WSGI application in front of moto and the control API.

    `find_principal` returns the ARN for an access key and True if the key has expired.
    `deny` returns the error of an authenticated call that a condition denies, and `deny_identity`
    that of a call with an ID token, which has no access key.
    """

    moto: WsgiApp
    control: WsgiApp
    access_key: str
    log: JsonLines
    find_principal: Callable[[str], tuple[str, bool] | None]
    command_line: Callable[[str], str]
    deny: Callable[[ApiCall], Response | None]
    deny_identity: Callable[[ApiCall], Response | None]
    faults: FaultList = field(default_factory=FaultList)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started_at, call = time.monotonic(), parse_call(environ)
        response = self._deny_browser(environ, call)
        if response is None and environ.get("PATH_INFO", "").startswith(CONTROL_PREFIX):
            return self.control(environ, start_response)
        if call.action == "AssumeRoleWithWebIdentity":
            call.service = "sts"
            response = response or self._injected_response(call) or self.deny_identity(call)
        else:
            response = (
                response
                or self._deny_caller(environ, call)
                or self._injected_response(call)
                or self.deny(call)
            )
        response = response or self._call_moto(environ, call)
        headers = [name for name, _ in response.headers]
        for name in headers:
            if name.lower().startswith("access-control-"):
                del response.headers[name]
        user_agent = environ.get("HTTP_USER_AGENT", "")
        self._log_call(call, user_agent, response, time.monotonic() - started_at)
        self.faults.finish(call)
        if call.is_reset:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return response(environ, start_response)

    def _deny_browser(self, environ: dict[str, Any], call: ApiCall) -> Response | None:
        """Denies requests of web pages, also those through a name that resolves to loopback."""
        port = environ["SERVER_PORT"]
        if environ.get("HTTP_HOST") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            command = self.command_line("status")
            text = f"This Host is not served: use the endpoint that `{command}` names."
            return call.error_response("AccessDenied", text, 403)
        if "HTTP_ORIGIN" in environ:
            text = "Requests from web pages (with an Origin header) are refused."
            return call.error_response("AccessDenied", text, 403)
        return None

    def _deny_caller(self, environ: dict[str, Any], call: ApiCall) -> Response | None:
        """Denies unknown and expired keys, and services and paths that are not served."""
        environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
        principal = self._find_principal(call.access_key)
        if principal is None:
            default = "InvalidClientTokenId" if call.access_key else "MissingAuthenticationToken"
            code = _UNKNOWN_KEY_CODES.get(call.service, default)
            command = self.command_line("status --env")
            text = f"The access key is not this sandbox's: load its environment (`{command}`)."
            return call.error_response(code, text, 403)
        call.caller = principal[0]
        if principal[1]:
            code, text = _EXPIRED_ERRORS.get(call.service, _DEFAULT_EXPIRED_ERROR)
            return call.error_response(
                code, text, 400 if call.is_json or call.service == "s3" else 403
            )
        if call.service not in SERVICES:
            text = f"The sandbox serves {', '.join(SERVICES)}, not {call.service}."
            return call.error_response("UnsupportedOperation", text, 400)
        if environ.get("PATH_INFO", "").startswith(("/moto-api", "/latest/")):
            command = self.command_line("reset")
            text = f"moto's own interface is not served: use `{command}`."
            return call.error_response("AccessDenied", text, 403)
        return None

    def _injected_response(self, call: ApiCall) -> Response | None:
        if not self.faults.faults:
            return None
        return self.faults.inject(call, call.caller)

    def _call_moto(self, environ: dict[str, Any], call: ApiCall) -> Response:
        """Returns moto's response; replaces its exceptions and HTML pages by AWS errors."""
        try:
            response = Response.from_app(self.moto, environ, buffered=True)
        except Exception as error:
            LOG.warning("%s %s failed", call.service, call.action, exc_info=True)
            cause = f"{type(error).__name__}: {error}"
            text = f"The sandbox can't answer {call.action} as asked ({cause})."
            return call.error_response("UnsupportedOperation", text, 400)
        is_html = response.status_code >= 400 and "html" in (response.content_type or "")
        if is_html and not _XML_ERROR.match(response.get_data()):
            text = f"The sandbox doesn't serve {call.action or environ.get('PATH_INFO')}."
            return call.error_response("UnsupportedOperation", text, 400)
        return response

    def _find_principal(self, access_key: str) -> tuple[str, bool] | None:
        if hmac.compare_digest(access_key, self.access_key):
            return ROOT_ARN, False
        return self.find_principal(access_key) if access_key else None

    def _caller_name(self, access_key: str) -> str:
        if principal := self._find_principal(access_key):
            return principal[0]
        return f"...{access_key[-4:]}" if access_key else "anonymous"

    def _log_call(self, call: ApiCall, user_agent: str, response: Response, seconds: float) -> None:
        """Logs an answered call without secrets: no keys, and only IDs and names of resources."""
        caller = call.caller or self._caller_name(call.access_key)
        account = _ACCOUNT.match(caller)
        code = _ERROR_CODE.search(response.get_data()) if response.status_code >= 400 else None
        resources = list(call.resources.items())[:20]
        self.log.append(
            service=call.service or None,
            action=call.action or None,
            region=call.region or None,
            account=account[1] if account else None,
            caller=caller,
            user_agent=user_agent[:200],
            status=response.status_code,
            error=(code[1] or code[2]).decode("utf-8", "replace") if code else None,
            dry_run=call.is_dry_run,
            duration_ms=round(seconds * 1000, 1),
            resources={name: value[:MAX_VALUE] for name, value in resources},
        )
