"""Runs one program and tells how long it took, its CPU and its peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A child process inherits the peak memory of its parent (getrusage(2)), so a small helper process starts the program.
HELPER = """\
import json, os, resource, sys, time
begun = time.monotonic()
code = os.spawnvp(os.P_WAIT, sys.argv[2], sys.argv[2:])
took, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), json.dumps([code, took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]).encode())
"""


@dataclass
class Used:
    """Time, resource usage and output of a run."""

    seconds: float
    cpu: float
    megabytes: float
    out: bytes


def measured(
    command: Sequence[str], cwd: Path | str, env: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)
) -> Used:
    """Runs a command until it exits. Ends the benchmark if its exit code is not in `codes`."""
    told, tell = os.pipe()
    words = [sys.executable, "-S", "-E", "-c", HELPER, str(tell), *command]
    with os.fdopen(told) as answer:
        ran = subprocess.run(words, cwd=cwd, env=env, capture_output=True, pass_fds=[tell], check=False)
        os.close(tell)
        if ran.returncode != 0:
            sys.exit(f"{command} could not be run: {ran.stderr.decode()[-2000:]}")
        code, seconds, cpu, megabytes = json.loads(answer.read())
    if code not in codes:
        sys.exit(f"{command} ended with {code}: {ran.stderr.decode()[-2000:]}")
    return Used(seconds, cpu, megabytes, ran.stdout)
