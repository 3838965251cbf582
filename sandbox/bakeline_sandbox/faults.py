"""Injects errors and delays into API calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from .api_call import ApiCall

ANY_CHANGE = "*"  # as an action: all calls that change something
_READ_ACTIONS = (
    *("Assume", "Decode", "Describe", "Get", "Head", "List", "Lookup", "Search"),
    *("GET", "HEAD"),  # of S3
)


@dataclass
class Fault:
    """Delay of a call, followed by an error (`code`), a fixed answer (`body`), or moto's answer.

    With `reset`, the call has this result, but the client receives no answer.
    """

    action: str
    code: str = ""
    message: str = "injected by the sandbox's fault list"
    status: int = 500
    times: int = 1
    service: str = ""
    delay: float = 0.0  # seconds
    region: str = ""
    account: str = ""  # of the caller
    resource: str = ""  # an ID or name that the call contains
    dry_run: bool | None = None  # only dry runs, or only other calls
    after: int = 0  # number of matching calls that succeed first
    follows: str = ""  # the action of an earlier call that meets the same conditions
    body: str | None = None  # sent with `status` and `content_type`, as a proxy would do
    content_type: str = "text/html"
    reset: bool = False  # closes the connection instead of sending the answer

    def matches(self, call: ApiCall, caller: str) -> bool:
        """Returns True if this fault applies to the call; ignores `after` and `times`."""
        is_change = not call.action.startswith(_READ_ACTIONS) and not call.is_dry_run
        is_action = self.action == call.action or (self.action == ANY_CHANGE and is_change)
        return is_action and not self.follows and self._meets_conditions(call, caller)

    def observe(self, call: ApiCall, caller: str) -> None:
        """Starts to apply after the call that it follows."""
        if self.follows == call.action and self._meets_conditions(call, caller):
            self.follows = ""

    def _meets_conditions(self, call: ApiCall, caller: str) -> bool:
        return (
            self.service in ("", call.service)
            and self.region in ("", call.region)
            and self.account in caller
            and self.dry_run in (None, call.is_dry_run)
            and (not self.resource or self.resource in call.resources.values())
        )


@dataclass
class FaultList:
    """Planned faults, and the calls that are delayed by one of them."""

    faults: list[Fault] = field(default_factory=list)
    delayed: list[ApiCall] = field(default_factory=list)
    condition: threading.Condition = field(default_factory=threading.Condition)
    generation: int = 0  # increases when the list is replaced

    def add(self, faults: list[Fault]) -> int:
        """Appends faults and returns the length of the list."""
        with self.condition:
            self.faults += faults
            return len(self.faults)

    def replace(self, faults: list[Fault]) -> int:
        """Replaces all faults and releases delayed calls; returns the length of the list."""
        with self.condition:
            self.faults = list(faults)
            self.generation += 1
            self.condition.notify_all()
            return len(self.faults)

    def list_delayed(self) -> list[dict[str, Any]]:
        """Returns the delayed calls that are not answered yet."""
        with self.condition:
            return [
                {"action": call.action, "region": call.region, **call.resources}
                for call in self.delayed
            ]

    def inject(self, call: ApiCall, caller: str) -> Response | None:
        """Delays the call and returns the injected response; None means: call moto."""
        with self.condition:
            fault = next((fault for fault in self.faults if fault.matches(call, caller)), None)
            for other in self.faults:
                other.observe(call, caller)
            if fault is None:
                return None
            if fault.after > 0:
                fault.after -= 1
                return None
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
            self._delay(call, fault.delay)
            call.is_reset = fault.reset
        if fault.body is not None:
            return Response(fault.body, status=fault.status, content_type=fault.content_type)
        return call.error_response(fault.code, fault.message, fault.status) if fault.code else None

    def finish(self, call: ApiCall) -> None:
        """Removes an answered call from the delayed calls."""
        with self.condition:
            self.delayed = [other for other in self.delayed if other is not call]

    def _delay(self, call: ApiCall, seconds: float) -> None:
        generation = self.generation
        self.delayed.append(call)
        self.condition.wait_for(lambda: self.generation != generation, timeout=seconds)
