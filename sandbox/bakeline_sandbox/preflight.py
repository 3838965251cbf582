"""Finds everything that prevents a start on this host, and how to fix it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .backends.requirements import (
    ROOT_REQUIRED,
    Problem,
    bind_error,
    chroot_problems,
    nspawn_problems,
)

PRESERVED_VARIABLES = (
    "PYTHONPATH,BAKELINE_SANDBOX_DIR,http_proxy,https_proxy,no_proxy,"
    "HTTP_PROXY,HTTPS_PROXY,NO_PROXY,SSL_CERT_FILE"
)
REQUIRED_MODULES = ("moto", "boto3", "flask", "werkzeug")


def become_root(argv: list[str]) -> Problem | None:
    """Restarts this command as root if sudo needs no password; otherwise returns the problem."""
    if os.geteuid() == 0:
        return None
    sudo = shutil.which("sudo")
    if (
        sudo
        and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
        sys.stdout.flush()
        command = [sudo, "-n", f"--preserve-env={PRESERVED_VARIABLES}"]
        os.execv(sudo, [*command, sys.executable, "-m", "bakeline_sandbox", *argv])
    fix = "run it as root" + (", or run `sudo -v` and try again" if sudo else "")
    cause = "this user is not root, and instances need mounts, network namespaces and iptables"
    return Problem(cause, fix)


def find_problems(state_dir: Path, backend_name: str | None, port: int) -> list[Problem]:
    """Returns what prevents `up`; without a requested backend, one usable backend is enough.

    Stub instances need nothing but the Python modules.
    """
    problems = []
    if reason := bind_error(("127.0.0.1", port)):
        fix = "choose another port with --port, or omit it to use a free one"
        problems.append(Problem(f"cannot listen on port {port} ({reason})", fix))
    missing = [name for name in REQUIRED_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        requirements = Path(__file__).parent.parent / "requirements.txt"
        fix = f"{sys.executable} -m pip install -r {requirements}"
        problems.append(Problem(f"Python modules are missing: {', '.join(missing)}", fix))
    if backend_name == "stub":
        return problems
    checks = {"nspawn": nspawn_problems, "chroot": chroot_problems}
    results = [check(state_dir) for name, check in checks.items() if backend_name in (None, name)]
    if all(results):
        # become_root() reports missing root rights.
        unique = dict.fromkeys(problem for result in results for problem in result)
        problems += [problem for problem in unique if problem.cause != ROOT_REQUIRED]
    return problems
