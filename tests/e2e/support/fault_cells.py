"""Lists the cells of a fault product: each action of a command, from its API log, with each kind of fault."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FULL = os.environ.get("BAKELINE_MATRIX") == "1"
OFFSET = int(os.environ.get("BAKELINE_SAMPLE_OFFSET", "0"))
"""Number of the first case of a sample. CI derives it from the commit."""
MANY = 10_000
HANG_SECONDS = 31.0  # longer than an attempt of the SDK

Fault = dict[str, Any]
Call = dict[str, Any]

_THROTTLED = {"ec2": ("RequestLimitExceeded", 503), "ssm": ("ThrottlingException", 400)}
_DENIED = {"ec2": ("UnauthorizedOperation", 403), "ssm": ("AccessDeniedException", 400)}
_EXPIRED = {"ec2": ("RequestExpired", 400), "ssm": ("ExpiredTokenException", 400)}
_FAILED = {"ssm": ("InternalServerError", 500)}
_MISSING = {
    "Parameter": "ParameterNotFound",
    "SnapshotAttribute": "InvalidSnapshot.NotFound",
    "Snapshot": "InvalidSnapshot.NotFound",
    "Volume": "InvalidVolume.NotFound",
    "Group": "InvalidGroup.NotFound",
    "KeyPair": "InvalidKeyPair.NotFound",
    "TerminateInstances": "InvalidInstanceID.NotFound",
    "DescribeInstances": "InvalidInstanceID.NotFound",
}


def _error(codes: dict[str, tuple[str, int]], service: str, default: tuple[str, int]) -> Fault:
    code, status = codes.get(service, default)
    return {"code": code, "status": status}


def _missing(action: str) -> Fault:
    code = next((code for word, code in _MISSING.items() if word in action), "InvalidAMIID.NotFound")
    return {"code": code, "status": 400}


KINDS = (
    "throttled",
    "status 500",
    "reset",
    "hang",
    "denied",
    "NotFound",
    "no capacity",
    "expired session",
    "malformed answer",
)


def fault_of(kind: str, service: str, action: str) -> Fault:
    """Returns the fields of a fault. With the four attempts of the tests, six failures are more than one call repeats."""
    return {
        "throttled": {**_error(_THROTTLED, service, ("Throttling", 400)), "times": 6},
        "status 500": {**_error(_FAILED, service, ("InternalError", 500)), "times": 6},
        "reset": {"reset": True},
        "hang": {"delay": HANG_SECONDS},
        "denied": {**_error(_DENIED, service, ("AccessDenied", 403)), "times": MANY},
        "NotFound": {**_missing(action), "times": 6},
        "no capacity": {"code": "InsufficientInstanceCapacity", "status": 500, "times": MANY},
        "expired session": {**_error(_EXPIRED, service, ("ExpiredToken", 403)), "times": MANY},
        "malformed answer": {"body": "<html>try again</html>", "status": 200},
    }[kind]


@dataclass(frozen=True)
class Cell:
    """An action with a kind of fault, after some calls that succeed."""

    action: str
    service: str
    kind: str
    after: int

    def __str__(self) -> str:
        return f"{self.action} call {self.after + 1}: {self.kind}"

    def faults(self, log: Sequence[Call]) -> list[Fault]:
        """Returns the faults to inject. An expired session fails all actions from the call on."""
        own = {"action": self.action, "after": self.after, **fault_of(self.kind, self.service, self.action)}
        if self.kind != "expired session":
            return [own]
        calls = [at for at, call in enumerate(log) if call["action"] == self.action]
        before = Counter(call["action"] for call in log[: calls[self.after]])
        services = {call["action"]: call["service"] for call in log}
        others = sorted(action for action in services if action != self.action)
        return [own] + [
            {"action": action, "after": before[action], **fault_of(self.kind, services[action], action)}
            for action in others
        ]


def list_cells(log: Sequence[Call]) -> list[Cell]:
    """Returns each action with each kind, at its first or at its last call in turn."""
    counts, services = Counter(call["action"] for call in log), {call["action"]: call["service"] for call in log}
    cells = []
    for row, action in enumerate(sorted(counts)):
        for column, kind in enumerate(KINDS):
            after = 0 if (row + column) % 2 == 0 else counts[action] - 1
            cells.append(Cell(action, services[action], kind, after))
    return cells


def select_cells(cells: list[Cell], count: int) -> list[Cell]:
    """Returns all cells in a full run, or a sample that does not wait for a hang."""
    if FULL:
        return cells
    quick = [cell for cell in cells if cell.kind != "hang"]
    step = max(1, len(quick) // count)
    return quick[OFFSET % step :: step][:count]


@dataclass
class Report:
    """Result of the product of one command."""

    command: str
    cells: int = 0
    hits: int = 0
    leaks: list[str] = field(default_factory=list)
    false_statements: list[str] = field(default_factory=list)

    def finish(self) -> None:
        """Prints the summary and fails if anything was found."""
        for text in self.leaks:
            print(f"leak: {self.command}, {text}")
        for text in self.false_statements:
            print(f"false statement: {self.command}, {text}")
        found = f"{len(self.leaks)} leaks, {len(self.false_statements)} false statements"
        print(
            f"\nfaults of {self.command} on the local EC2: {self.cells} cells, {found} (BAKELINE_SAMPLE_OFFSET={OFFSET})"
        )
        assert self.hits * 10 >= self.cells * 9, f"only {self.hits} of {self.cells} faults took effect"
        assert not self.leaks and not self.false_statements, (self.leaks, self.false_statements)
