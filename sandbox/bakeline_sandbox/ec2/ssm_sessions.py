"""Implements SSM sessions to a port of an instance.

AWS answers with the URL of a WebSocket. The sandbox answers with `tcp://127.0.0.1:PORT`, which the
session plugin of a test connects to.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from ..errors import SandboxError
from ..router.relays import TcpRelay
from .state import current_state, patch

DOCUMENTS = ("AWS-StartSSHSession", "AWS-StartPortForwardingSession")
_sessions: dict[str, TcpRelay] = {}


@patch(SimpleSystemManagerResponse)
def start_session(self: Any) -> ActionResult:
    """Implements StartSession: opens a session to a port of an instance whose SSM agent runs."""
    target, document = self._get_param("Target"), self._get_param("DocumentName")
    if document not in DOCUMENTS:
        text = f"The sandbox has the documents {' and '.join(DOCUMENTS)} only, not {document}."
        raise JsonRESTError("InvalidDocument", text)
    parameters = self._get_param("Parameters") or {}
    port = int(parameters.get("portNumber", ["22"])[0])
    with current_state().lock:
        instance = ec2_backends[self.current_account][self.region].get_instance_by_id(target)
        is_running = instance is not None and instance.state == "running"
        has_role = is_running and bool(instance.iam_instance_profile)
    backend = current_state().backend
    if not has_role or not backend.has_agent(target):
        raise JsonRESTError("TargetNotConnected", f"{target} is not connected.")
    session, relay = f"session-{secrets.token_hex(9)}", _open_relay(target, port)
    _sessions[session] = relay
    url = f"tcp://127.0.0.1:{relay.server_address[1]}"
    return ActionResult(
        {"SessionId": session, "StreamUrl": url, "TokenValue": secrets.token_hex(16)}
    )


@patch(SimpleSystemManagerResponse)
def terminate_session(self: Any) -> ActionResult:
    """Implements TerminateSession: accepts no further connections."""
    session = self._get_param("SessionId")
    if relay := _sessions.pop(session, None):
        relay.shutdown()
        relay.server_close()
    return ActionResult({"SessionId": session})


def _open_relay(target: str, port: int) -> TcpRelay:
    backend = current_state().backend
    try:
        relay = TcpRelay(("127.0.0.1", 0), lambda: backend.connect(target, port))
    except SandboxError as error:
        raise JsonRESTError("TargetNotConnected", f"{target}: {error}") from error
    threading.Thread(target=relay.serve_forever, args=(0.1,), daemon=True).start()
    return relay
