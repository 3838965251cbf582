"""Everything that keeps the sandbox from running here, said at once, each with what to do about it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from .backends import Problem, needs

KEPT = "PYTHONPATH,BAKELINE_SANDBOX_DIR,http_proxy,https_proxy,no_proxy,HTTP_PROXY,HTTPS_PROXY,NO_PROXY,SSL_CERT_FILE"


def become_root(argv: list[str]) -> Problem | None:
    """Start this command again as root when sudo allows it without asking; returns only when that can't be."""
    if os.geteuid() == 0:
        return None
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
        sys.stdout.flush()
        os.execv(sudo, [sudo, "-n", f"--preserve-env={KEPT}", sys.executable, "-m", "bakeline_sandbox", *argv])
    fix = "run it as root, or run `sudo -v` first and then the same command again" if sudo else "run it as root"
    return Problem("not root, and instances need mounts, network namespaces and firewall rules", fix)


def problems(store: Path, wanted: str | None, port: int) -> list[Problem]:
    """What is missing for `up`; each backend knows its own needs, and one that fits is enough."""
    found = []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fix = "give another with --port, or none for a free one"
            found.append(Problem(f"port {port} can't be used ({error.strerror})", fix))
    missing = [name for name in ("moto", "boto3", "flask", "werkzeug") if importlib.util.find_spec(name) is None]
    if missing:
        here = Path(__file__).parent.parent / "requirements.txt"
        found.append(Problem(f"Python lacks {', '.join(missing)}", f"{sys.executable} -m pip install -r {here}"))
    checks = {"nspawn": needs.booted, "chroot": needs.plain}
    results = [check(store) for name, check in checks.items() if wanted in (None, name)]
    if all(results):
        found += [problem for result in results for problem in result if not problem.cause.endswith("need root")]
    return list(dict.fromkeys(found))
