"""The sandbox's own endpoints under `/_bakeline/`: status, reset, publish, faults, delays, the webhook; see also `ec2.fixtures`."""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from .faults import Fault, Faults
from .guard import OWN
from .webhook import Webhook

MAX_BODY, MAX_OWN = 1 << 20, 64 << 20  # the webhook's, and ours


class Control:
    """WSGI application of our own endpoints; all but the webhook want the access key in `X-Bakeline-Key`."""

    def __init__(
        self, key: str, webhook: Webhook, faults: Faults, reset: Callable[[], None], publish: Callable[[str], str]
    ) -> None:
        self.key, self.webhook, self.faults, self.reset, self.publish = key, webhook, faults, reset, publish

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        return self._route(request)(environ, start_response)

    def _route(self, request: Request) -> Response:
        place, _, verb = request.path.removeprefix(OWN).partition("/")
        if place == "slack":
            if hmac.compare_digest(verb.encode(), self.webhook.token.encode()):
                return self.webhook.answer(request)
            return Response("no_service", status=404, content_type="text/plain")
        if not hmac.compare_digest(request.headers.get("X-Bakeline-Key", "").encode(), self.key.encode()):
            return _json({"error": "the header X-Bakeline-Key must carry the sandbox's access key"}, 403)
        from moto.core.exceptions import ServiceException

        from .ec2 import fixtures

        name, request.max_content_length = f"{request.method.lower()}_{verb}", MAX_OWN
        action = getattr(self, name, None) or getattr(fixtures, name, None)
        if action is None:
            return _json({"error": f"there is no {request.method} {place}/{verb}"}, 404)
        try:
            return _json(action(json.loads(request.get_data() or b"{}")))
        except ServiceException as error:
            return _json({"error": f"{verb}: {error.code}: {error.message}"}, 400)
        except Exception as error:
            status = 400 if isinstance(error, (ValueError, TypeError, KeyError)) else 500
            return _json({"error": f"{verb}: {type(error).__name__}: {error}"}, status)

    def get_status(self, _: dict[str, Any]) -> dict[str, Any]:
        """Instances, AMIs and vendor AMIs."""
        from .ec2 import images, vendor, world

        with world.here().lock:
            running: dict[str, Counter[str]] = {}
            for instance in world.instances():
                running.setdefault(instance.region_name, Counter())[instance.state] += 1
            own = [(ec2, i) for ec2 in world.backends() for i in ec2.amis.values() if i.owner_id != images.VENDOR]
            listed = [
                {"id": i.id, "name": i.name, "region": ec2.region_name, "account": ec2.account_id, "state": i.state}
                for ec2, i in own
            ]
            return {"instances": running, "images": listed, "vendor": vendor.amis("us-east-1")}

    def post_reset(self, _: dict[str, Any]) -> dict[str, Any]:
        """Everything as it was after `up`."""
        self.reset()
        self.faults.plan([], anew=True)
        self.webhook.plan(0, 0, 0)
        return {"reset": True}

    def post_publish(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A newer vendor AMI."""
        return {"name": self.publish(asked["release"])}

    def post_slack(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Errors of the webhook to come."""
        self.webhook.plan(int(asked["status"]), int(asked.get("retry_after", 1)), int(asked.get("times", 1)))
        return {"planned": True}

    def post_faults(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Errors and stalls of the API to come: one more, or with `faults` the whole list, which lets go what waits."""
        planned = [Fault(**one) for one in asked.get("faults", [asked])]
        return {"faults": self.faults.plan(planned, anew="faults" in asked)}

    def get_faults(self, _: dict[str, Any]) -> dict[str, Any]:
        """The calls that are stalled at this moment."""
        return {"held": self.faults.held()}

    def post_pending(self, asked: dict[str, Any]) -> dict[str, Any]:
        """How long a new AMI stays pending."""
        from .ec2 import world

        world.here().pending_seconds = float(asked["seconds"])
        return {"seconds": world.here().pending_seconds}


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
