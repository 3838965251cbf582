"""The list of errors and stalls to come: what the API answers with instead of, or before, moto's own answer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from .call import Call

ANY_CHANGE = "*"
"""As an action: every call that changes something."""
READING = ("Assume", "Describe", "Get", "Head", "List", "Lookup", "Search", "GET", "HEAD")


@dataclass
class Fault:
    """A stall (`delay`, in seconds), then an error (`code`), an answer (`body`), or moto's own answer where both are empty."""

    action: str
    code: str = ""
    message: str = "injected by the sandbox's fault list"
    status: int = 500
    times: int = 1
    service: str = ""
    delay: float = 0.0
    region: str = ""
    account: str = ""  # the caller's
    resource: str = ""  # an id or name that the call must mention
    after: int = 0  # so many fitting calls go through first
    body: str | None = None  # the answer, with `status` and `content_type`, as a proxy could give it
    content_type: str = "text/html"

    def fits(self, call: Call, caller: str) -> bool:
        """Whether this call is one to fail, times left to it aside."""
        wanted = {"service": self.service or call.service, "region": self.region or call.region}
        if self.action != call.action and not (self.action == ANY_CHANGE and not call.action.startswith(READING)):
            return False
        here = wanted == {"service": call.service, "region": call.region}
        return here and self.account in caller and (not self.resource or self.resource in call.resources.values())


@dataclass
class Faults:
    """The list, and the calls that wait in it at this moment."""

    listed: list[Fault] = field(default_factory=list)
    waiting: list[Call] = field(default_factory=list)
    turn: threading.Condition = field(default_factory=threading.Condition)
    age: int = 0  # how often the list was replaced

    def plan(self, faults: list[Fault], anew: bool) -> int:
        """Add to the list, or replace it: what waits then goes on at once. How many are listed."""
        with self.turn:
            if anew:
                self.listed, self.age = [], self.age + 1
                self.turn.notify_all()
            self.listed += faults
            return len(self.listed)

    def held(self) -> list[dict[str, Any]]:
        """The calls that wait, until they are answered."""
        with self.turn:
            return [{"action": call.action, "region": call.region, **call.resources} for call in self.waiting]

    def answer(self, call: Call, caller: str) -> Response | None:
        """The error that this call is to get, after its stall."""
        with self.turn:
            fault = next((fault for fault in self.listed if fault.fits(call, caller)), None)
            if fault is None:
                return None
            if fault.after > 0:
                fault.after -= 1
                return None
            fault.times -= 1
            if fault.times <= 0:
                self.listed.remove(fault)
            self._stall(call, fault.delay)
        if fault.body is not None:
            return Response(fault.body, status=fault.status, content_type=fault.content_type)
        return call.error(fault.code, fault.message, fault.status) if fault.code else None

    def _stall(self, call: Call, seconds: float) -> None:
        age = self.age
        self.waiting.append(call)
        self.turn.wait_for(lambda: self.age != age, timeout=seconds)

    def done(self, call: Call) -> None:
        """This call was answered."""
        with self.turn:
            self.waiting = [other for other in self.waiting if other is not call]
