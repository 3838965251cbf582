"""Reads the requests that `shutdown` and `reboot` send to the pipe of System V's init."""

from __future__ import annotations

import os
import select
import struct
import subprocess
from pathlib import Path

PIPE = "run/initctl"
REBOOT_RUNLEVEL, HALT_RUNLEVEL = "6", "0"
_MAGIC, _SET_RUNLEVEL = 0x03091969, 1  # `struct init_request` of sysvinit's initreq.h
_REQUEST_BYTES, _HEADER = 384, "=iii"
_POLL_SECONDS = 0.2


def wait_for_runlevel(process: subprocess.Popen[bytes], root: Path) -> str:
    """Waits for a request to halt or reboot; returns its runlevel, or "" if the process ends."""
    pipe = os.open(root / PIPE, os.O_RDWR | os.O_NONBLOCK)
    with open(pipe, "rb", buffering=0) as requests:
        while process.poll() is None:
            if select.select([requests], [], [], _POLL_SECONDS)[0]:
                runlevel = _parse_runlevel(requests.read(_REQUEST_BYTES) or b"")
                if runlevel in (HALT_RUNLEVEL, REBOOT_RUNLEVEL):
                    return runlevel
    return ""


def _parse_runlevel(request: bytes) -> str:
    header = request.ljust(struct.calcsize(_HEADER), b"\0")
    magic, command, level = struct.unpack_from(_HEADER, header)
    return chr(level) if magic == _MAGIC and command == _SET_RUNLEVEL else ""
