"""Ends temporary sessions early, as a short role duration or a revoked session does.

    sessions  {"expire": true, "account"?: account of the sessions}

All existing sessions are expired: their calls fail until the client requests new credentials. `GET`
lists the sessions with their remaining seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .settings import check_flag, check_members, check_text


class Sessions:
    """Temporary sessions of all accounts. moto keeps them."""

    def describe(self) -> dict[str, Any]:
        """Returns ARN and remaining seconds of all sessions."""
        from moto.core.utils import utcnow

        now = utcnow()
        entries = [
            {"arn": session.arn, "seconds": round((session.expiration - now).total_seconds())}
            for session in _list_sessions()
        ]
        return {"sessions": entries}

    def replace(self, body: Any) -> dict[str, Any]:
        """Ends the existing sessions, of one account or of all."""
        from moto.core.utils import utcnow

        members = check_members(body, ("expire", "account"))
        account = check_text(members["account"], "account") if "account" in members else ""
        if check_flag(members.get("expire", False), "expire"):
            for session in _list_sessions():
                if account in ("", session.account_id):
                    session.expiration = utcnow() - timedelta(seconds=1)
        return self.describe()


def _list_sessions() -> Iterator[Any]:
    from moto.sts.models import sts_backends

    for regions in list(sts_backends.values()):
        for sts in list(dict.values(regions)):
            yield from sts.assumed_roles
