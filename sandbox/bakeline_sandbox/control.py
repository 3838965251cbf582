"""Serves the control API and the webhook under `/_bakeline/`.

The module `ec2.fixtures` implements the endpoints that change EC2's state, and the package
`conditions` those that imitate conditions of AWS.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from .conditions.settings import SettingError
from .faults import Fault, FaultList
from .middleware import CONTROL_PREFIX
from .webhook import SlackWebhook

MAX_WEBHOOK_BYTES, MAX_CONTROL_BYTES = 1 << 20, 64 << 20
Endpoint = Callable[[Any], dict[str, Any]]


class ControlApi:
    """WSGI application of the control API.

    All requests except those to the webhook need the access key in the header `X-Bakeline-Key`.
    """

    def __init__(
        self,
        access_key: str,
        webhook: SlackWebhook,
        faults: FaultList,
        reset: Callable[[], None],
        publish: Callable[[str], str],
    ) -> None:
        self.access_key, self.webhook, self.faults = access_key, webhook, faults
        self.reset, self.publish = reset, publish
        self.endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", "status"): self.read_status,
            ("GET", "faults"): self.read_delayed_calls,
            ("GET", "pending"): self.read_pending_seconds,
            ("POST", "reset"): self.reset_state,
            ("POST", "settle"): self.settle,
            ("POST", "publish"): self.publish_vendor_ami,
            ("POST", "slack"): self.plan_webhook_errors,
            ("POST", "faults"): self.plan_faults,
            ("POST", "pending"): self.set_pending_seconds,
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_WEBHOOK_BYTES
        return self._respond(request)(environ, start_response)

    def _respond(self, request: Request) -> Response:
        prefix, _, name = request.path.removeprefix(CONTROL_PREFIX).partition("/")
        if prefix == "slack":
            if hmac.compare_digest(name.encode(), self.webhook.token.encode()):
                return self.webhook.respond(request)
            return Response("no_service", status=404, content_type="text/plain")
        key = request.headers.get("X-Bakeline-Key", "")
        if not hmac.compare_digest(key.encode(), self.access_key.encode()):
            text = "the header X-Bakeline-Key must carry the sandbox's access key"
            return _json_response({"error": text}, 403)
        from .ec2 import fixtures

        request.max_content_length = MAX_CONTROL_BYTES
        endpoint = self.endpoints.get((request.method, name)) or find_endpoint(request.method, name)
        if endpoint is None and request.method == "POST":
            endpoint = fixtures.ENDPOINTS.get(name)
        if endpoint is None:
            return _json_response({"error": f"there is no {request.method} {prefix}/{name}"}, 404)
        return _call_endpoint(name, endpoint, request)

    def read_status(self, _: dict[str, Any]) -> dict[str, Any]:
        """Returns the instances by Region and state, the AMIs and the vendor AMIs."""
        from .ec2 import vendor_images
        from .ec2.images import VENDOR_ACCOUNTS
        from .ec2.state import current_state, iter_backends, iter_instances

        with current_state().lock:
            instances: dict[str, Counter[str]] = {}
            for instance in iter_instances():
                instances.setdefault(instance.region_name, Counter())[instance.state] += 1
            images = [
                {
                    "id": image.id,
                    "name": image.name,
                    "region": ec2.region_name,
                    "account": ec2.account_id,
                    "state": image.state,
                }
                for ec2 in iter_backends()
                for image in ec2.amis.values()
                if image.owner_id not in VENDOR_ACCOUNTS
            ]
            vendor = vendor_images.list_vendor_images("us-east-1")
            return {"instances": instances, "images": images, "vendor": vendor}

    def reset_state(self, _: dict[str, Any]) -> dict[str, Any]:
        """Restores the state after `up`."""
        self.reset()
        self.faults.replace([])
        self.webhook.plan_errors(0, 0, 0)
        return {"reset": True}

    def settle(self, _: dict[str, Any]) -> dict[str, Any]:
        """Ends the delays of everything that exists (`conditions/visibility.py`)."""
        from .ec2.state import current_state

        state = current_state()
        with state.lock:
            return state.conditions.visibility.settle()

    def publish_vendor_ami(self, body: dict[str, Any]) -> dict[str, Any]:
        """Publishes a newer vendor AMI."""
        return {"name": self.publish(body["release"])}

    def plan_webhook_errors(self, body: dict[str, Any]) -> dict[str, Any]:
        """Plans errors of the webhook."""
        retry_after, times = int(body.get("retry_after", 1)), int(body.get("times", 1))
        self.webhook.plan_errors(int(body["status"]), retry_after, times)
        return {"planned": True}

    def plan_faults(self, body: dict[str, Any]) -> dict[str, Any]:
        """Adds one fault; with `faults`, replaces the whole list and releases delayed calls."""
        if "faults" in body:
            faults = [Fault(**fields) for fields in body["faults"]]
            return {"faults": self.faults.replace(faults)}
        return {"faults": self.faults.add([Fault(**body)])}

    def read_delayed_calls(self, _: dict[str, Any]) -> dict[str, Any]:
        """Returns the calls that are delayed now."""
        return {"held": self.faults.list_delayed()}

    def read_pending_seconds(self, _: dict[str, Any]) -> dict[str, Any]:
        """Returns how long a new AMI stays pending."""
        from .ec2.state import current_state

        return {"seconds": current_state().pending_seconds}

    def set_pending_seconds(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sets how long a new AMI stays pending."""
        from .ec2.state import current_state

        current_state().pending_seconds = float(body["seconds"])
        return {"seconds": current_state().pending_seconds}


def find_endpoint(method: str, name: str) -> Endpoint | None:
    """Returns the endpoint that reads (GET) or replaces (POST) the settings of a condition."""
    from .ec2.state import current_state

    state = current_state()
    condition = state.conditions.by_name.get(name)
    if condition is None or method not in ("GET", "POST"):
        return None

    def call(body: Any) -> dict[str, Any]:
        with state.lock:
            return condition.describe() if method == "GET" else condition.replace(body)

    return call


def _call_endpoint(name: str, endpoint: Endpoint, request: Request) -> Response:
    from moto.core.exceptions import ServiceException

    try:
        return _json_response(endpoint(json.loads(request.get_data() or b"{}")))
    except ServiceException as error:
        return _json_response({"error": f"{name}: {error.code}: {error.message}"}, 400)
    except SettingError as error:
        return _json_response({"error": f"{name}: {error}"}, 400)
    except Exception as error:
        status = 400 if isinstance(error, ValueError | TypeError | KeyError) else 500
        return _json_response({"error": f"{name}: {type(error).__name__}: {error}"}, status)


def _json_response(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
