"""Limits the rate of EC2 calls with token buckets, and the number of concurrent copies.

    rates  {"enabled"?: true, "actions"?: {action: {"size": n, "refill": tokens per second}},
           "copies"?: 20}

Each account, Region and action has a bucket. The sizes are those of the EC2 Developer Guide,
"Request throttling for the Amazon EC2 API"; `actions` replaces some of them. `copies` is the number
of pending copies in one account and Region. `GET` also returns the number of throttled calls.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from ..api_call import ApiCall
from .settings import check_flag, check_members, check_number

Bucket = tuple[float, float]  # size and refill for each second
Need = tuple[tuple[str, ...], Bucket, float]  # key of a bucket, and tokens to take
READ, UNFILTERED_READ, CHANGE = (100.0, 20.0), (50.0, 10.0), (50.0, 5.0)
BUCKETS: dict[str, Bucket] = {
    "CopyImage": (100.0, 1.0),
    "CreateTags": (100.0, 10.0),
    "DeleteTags": (100.0, 10.0),
    "DeregisterImage": (100.0, 5.0),
    "ModifyImageAttribute": (100.0, 5.0),
    "ModifySnapshotAttribute": (100.0, 5.0),
    "CreateSnapshot": (100.0, 5.0),
    "DeleteSnapshot": (100.0, 5.0),
    "ModifyLaunchTemplate": (100.0, 5.0),
    "CreateLaunchTemplateVersion": (100.0, 5.0),
    "RunInstances": (5.0, 2.0),
    "EnableFastLaunch": (5.0, 2.0),
    "EnableImageBlockPublicAccess": (1.0, 0.1),
    "DisableImageBlockPublicAccess": (1.0, 0.1),
    "CreateStoreImageTask": (50.0, 0.1),
}
INSTANCES: Bucket = (1000.0, 2.0)  # of RunInstances: one token for each instance
COPIES = 20
_READS = ("Describe", "Get", "List", "Search")
# These have a smaller bucket for requests without filters, IDs and pages.
_UNFILTERED = (
    "DescribeInstances DescribeInstanceStatus DescribeNetworkInterfaces DescribeSecurityGroups "
    "DescribeSnapshots DescribeSpotInstanceRequests DescribeVolumes"
).split()
_RESTRICTIONS = (
    *("Filter.", "MaxResults", "NextToken", "InstanceId.", "NetworkInterfaceId.", "GroupId."),
    *("GroupName.", "SnapshotId.", "VolumeId.", "SpotInstanceRequestId."),
)


@dataclass
class Rates:
    """Settings, and the tokens of all buckets with the time of their last use."""

    settings: dict[str, Any] = field(default_factory=dict)
    buckets: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)
    throttled: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_enabled(self) -> bool:
        """True if rates are limited."""
        return bool(self.settings) and bool(self.settings.get("enabled", True))

    @property
    def copies(self) -> int | None:
        """Maximum number of concurrent copies, or None."""
        return int(self.settings.get("copies", COPIES)) if self.is_enabled else None

    def describe(self) -> dict[str, Any]:
        """Returns the settings, and the number of throttled calls by action."""
        if not self.settings:
            return {}
        return {**self.settings, "throttled": dict(self.throttled)}

    def replace(self, body: Any) -> dict[str, Any]:
        """Replaces all settings; all buckets are full again."""
        members = check_members(body, ("enabled", "actions", "copies"))
        check_flag(members.get("enabled", True), "enabled")
        check_number(members.get("copies", COPIES), "copies", 1)
        actions = members.get("actions", {})
        for action, bucket in check_members(actions, actions, "actions").items():
            check_members(bucket, ("size", "refill"), action)
            check_number(bucket.get("size"), f"{action}.size", 1)
            check_number(bucket.get("refill"), f"{action}.refill")
        self.settings, self.buckets, self.throttled = members, {}, Counter()
        return self.describe()

    def check(self, call: ApiCall) -> Response | None:
        """Takes the tokens of a call; returns the error if its bucket is empty."""
        if not self.is_enabled or call.service != "ec2":
            return None
        account = call.caller.split(":")[4]
        kind, bucket = self._select_bucket(call)
        needs: list[Need] = [((account, call.region, call.action, kind), bucket, 1.0)]
        if call.action == "RunInstances":
            count = str(call.parameters.get("MaxCount") or "1")
            number = float(count) if count.isdigit() else 1.0
            needs.append(((account, call.region, call.action, "instances"), INSTANCES, number))
        with self.lock:
            if self._take_tokens(needs):
                return None
            self.throttled[call.action] += 1
        return call.error_response("RequestLimitExceeded", "Request limit exceeded.", 503)

    def _select_bucket(self, call: ApiCall) -> tuple[str, Bucket]:
        if own := self.settings.get("actions", {}).get(call.action):
            return "", (own["size"], own["refill"])
        if not call.action.startswith(_READS):
            return "", BUCKETS.get(call.action, CHANGE)
        is_restricted = any(name.startswith(_RESTRICTIONS) for name in call.parameters)
        if call.action in _UNFILTERED and not is_restricted:
            return "unfiltered", UNFILTERED_READ
        return "", READ

    def _take_tokens(self, needs: list[Need]) -> bool:
        """Takes tokens from all buckets, or from none of them if one has too few."""
        now, left = time.monotonic(), {}
        for key, (size, refill), number in needs:
            tokens, used_at = self.buckets.get(key, (size, now))
            left[key] = (min(size, tokens + (now - used_at) * refill) - number, now)
        has_enough = all(tokens >= 0 for tokens, _ in left.values())
        if has_enough:
            self.buckets.update(left)
        return has_enough
