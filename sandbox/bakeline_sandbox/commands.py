"""Implements the commands: up, status, reset, publish, down and the internal serve."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from .backends.requirements import Problem
from .errors import CommandError
from .preflight import become_root, find_problems
from .state_dir import StateDirectory, is_server_process

START_SECONDS, STOP_SECONDS, KILL_SECONDS = 120, 30, 5
OTHER_COMMAND_SECONDS = 900  # another `up` may have to build the vendor roots
_started_at = time.monotonic()


def report(text: str) -> None:
    """Prints progress to standard error, with the elapsed time; standard output is for data."""
    # `print` writes the line break separately, so other threads could write in between.
    sys.stderr.write(f"{time.monotonic() - _started_at:6.1f}s  {text}\n")
    sys.stderr.flush()


def start_sandbox(state_dir: StateDirectory, args: Namespace) -> int:
    """Starts the local EC2 unless it is running."""
    if state := state_dir.running_state():
        _report_already_up(state_dir, state, args)
        return _print_status(state_dir, state, args.json)
    problem = None if args.backend == "stub" else become_root(args.argv)
    found = find_problems(state_dir.path, args.backend, args.port)
    if problems := [*([problem] if problem else []), *found]:
        return _print_problems(problems, args.json)
    state_dir.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = state_dir.acquire_lock()
    if lock is None:
        lock, state = _wait_for_other_command(state_dir)
    if lock is not None:
        state = _start_server(state_dir, args, lock)
    else:
        assert state
        _report_already_up(state_dir, state, args)
    assert state
    return _print_status(state_dir, state, args.json)


def _report_already_up(state_dir: StateDirectory, state: dict[str, Any], args: Namespace) -> None:
    if args.realistic and not state.get("realistic"):
        command = state_dir.command_line("down")
        text = "already up, without realistic conditions"
        raise CommandError(f"{text}: stop it with `{command}`, and start it again")
    report("already up")


def _wait_for_other_command(
    state_dir: StateDirectory,
) -> tuple[int | None, dict[str, Any] | None]:
    """Waits for the lock or for a server that another command starts; returns one of them."""
    report("waiting for another command that uses this state directory")
    is_command = state_dir.read_lock_holder()[0] == "command"
    deadline = time.monotonic() + (OTHER_COMMAND_SECONDS if is_command else START_SECONDS)
    while not (state := state_dir.running_state()):
        if time.monotonic() > deadline:
            role, pid = state_dir.read_lock_holder()
            text = f"the {role} with PID {pid} locks `{state_dir.path}` and does not answer"
            raise CommandError(f"{text}: end it with `{state_dir.command_line('down')}`")
        if (lock := state_dir.acquire_lock(0.5)) is not None:
            return lock, None
    return None, state


def _start_server(state_dir: StateDirectory, args: Namespace, lock: int) -> dict[str, Any]:
    from .backends.selection import select_backend
    from .vendor_roots import VendorRoots

    backend, reason = select_backend(state_dir.path, args.backend)
    report(f"backend {backend.name}: {reason}")
    _remove_leftovers(state_dir)
    backend.sweep()
    state_dir.write_backend(backend.name)
    if backend.name != "stub":
        VendorRoots(state_dir.path).ensure_roots(report=report)
    report("starting the API")
    log = state_dir.run_dir / "server.log"
    command = [sys.executable, "-m", "bakeline_sandbox", "serve", "--dir", str(state_dir.path)]
    command += ["--port", str(args.port), "--backend", backend.name, "--reason", reason]
    command += ["--realistic"] if args.realistic else []
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    # Other shells may not have this variable, so the server's hints must contain `--dir`.
    environment.pop("BAKELINE_SANDBOX_DIR", None)
    with log.open("ab") as output:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            pass_fds=(lock,),
            start_new_session=True,
        )
    state_dir.write_lock_holder("server", server.pid)
    state = _wait_for_server(state_dir, server, log)
    report("up")
    return state


def _wait_for_server(
    state_dir: StateDirectory, server: subprocess.Popen[bytes], log: Path
) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not (state := state_dir.running_state()):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            lines = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise CommandError(f"the API did not start (log: {log}):\n  " + "\n  ".join(lines))
        time.sleep(0.1)
    return state


def _remove_leftovers(state_dir: StateDirectory) -> None:
    """Removes what a killed server left, with the backend that it used."""
    from .backends.selection import create_backend

    if state_dir.run_dir.exists():
        create_backend(state_dir.path, state_dir.read_backend()).sweep()
        state_dir.remove_run_dir()


def _print_problems(problems: list[Problem], as_json: bool) -> int:
    if as_json:
        entries = [{"cause": problem.cause, "fix": problem.fix} for problem in problems]
        print(json.dumps({"up": False, "problems": entries}))
    print("the local EC2 cannot run on this host:", file=sys.stderr)
    for problem in problems:
        print(f"  - {problem.cause}\n    fix: {problem.fix}", file=sys.stderr)
    return 1


def _print_status(state_dir: StateDirectory, state: dict[str, Any], as_json: bool) -> int:
    try:
        facts = state_dir.call_control_api("status")
    except CommandError as error:
        facts = {"note": str(error)}
    if as_json:
        print(json.dumps({"up": True, **state, **facts}))
        return 0
    rows = [
        ("endpoint", f"{state['endpoint']} ({state['region']})"),
        ("server", f"PID {state['pid']}, since {state['started']}"),
        ("backend", f"{state['backend']}: {state['why']}"),
    ]
    if state.get("realistic"):
        rows.append(("conditions", "realistic: delays, rates and policies as on AWS"))
    for region, counts in sorted(facts.get("instances", {}).items()):
        listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        rows.append(("instances", f"{region}: {listed}"))
    for image in facts.get("images", []):
        rows.append(("image", "{id} {region} {state}".format(**image)))
        rows.append(("", image["name"]))
    rows += [("vendor AMI", image["name"]) for image in facts.get("vendor", [])]
    load_command = f'eval "$({state_dir.command_line("status --env")})"'
    rows += [("environment", state["env"]), ("to use it", load_command)]
    rows += [(f"{name} log", path) for name, path in state["logs"].items()]
    rows += [("note", facts["note"])] if "note" in facts else []
    for label, text in rows:
        print(f"{label:<12} {text}")
    return 0


def show_status(state_dir: StateDirectory, args: Namespace) -> int:
    """Prints instances and AMIs, or the environment for clients; fails if no server runs."""
    state = state_dir.running_state()
    if state is None:
        if args.json:
            print(json.dumps({"up": False}))
        up, down = state_dir.command_line("up"), state_dir.command_line("down")
        hint = f": start it with `{up}`"
        if state_dir.run_dir.exists():
            hint = f"; it ended without `down`, so clean up with `{up}` or `{down}`"
        print(f"the local EC2 is not running{hint}", file=sys.stderr)
        return 1
    if not args.env:
        return _print_status(state_dir, state, args.json)
    for name, value in state_dir.read_environment().items():
        quoted = shlex.quote(value) if "'" in value else f"'{value}'"
        print(f"export {name}={quoted}")
    return 0


def reset_sandbox(state_dir: StateDirectory, args: Namespace) -> int:
    """Terminates all instances and deletes all other state."""
    facts = state_dir.call_control_api("reset", {})
    return _print_result(args, facts, "the local EC2 is reset: only the vendor AMIs remain")


def publish_vendor_ami(state_dir: StateDirectory, args: Namespace) -> int:
    """Publishes a newer vendor AMI and prints its name."""
    facts = state_dir.call_control_api("publish", {"release": args.release})
    return _print_result(args, facts, facts["name"])


def _print_result(args: Namespace, facts: dict[str, Any], text: str) -> int:
    print(json.dumps(facts) if args.json else text)
    return 0


def stop_sandbox(state_dir: StateDirectory, args: Namespace) -> int:
    """Stops the server, by force if necessary, and deletes everything except the cache."""
    text = "the local EC2 was not running"
    if state_dir.run_dir.exists() or state_dir.running_state():
        text = "the local EC2 is stopped"
        is_stub = state_dir.read_backend() == "stub"
        if problem := None if is_stub else become_root(args.argv):
            return _print_problems([problem], args.json)
        if state_dir.acquire_lock() is None:
            role, pid = state_dir.read_lock_holder()
            if role != "server":
                user = f"another command (PID {pid}) uses `{state_dir.path}`"
                raise CommandError(f"{user}: wait for it or interrupt it")
            _stop_server(state_dir, pid)
        _remove_leftovers(state_dir)
        state_dir.remove_run_dir()
    return _print_result(args, {"up": False}, text)


def _stop_server(state_dir: StateDirectory, pid: int) -> None:
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if is_server_process(pid):
            os.kill(pid, number)
        if state_dir.acquire_lock(seconds) is not None:
            return
        report(f"the server (PID {pid}) did not end within {seconds} s of {number.name}")
    log = state_dir.run_dir / "server.log"
    raise CommandError(f"cannot end the server (PID {pid}): its log is {log}")


def run_server(state_dir: StateDirectory, args: Namespace) -> int:
    """Runs the server in this process; `up` starts this command."""
    from .daemon import run_daemon

    return run_daemon(state_dir, args.backend, args.reason, args.port, args.realistic)
