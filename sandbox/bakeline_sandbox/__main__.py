"""The command line: up, status, reset, publish, down."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .backends import Problem
from .backends.system import BackendError
from .preflight import become_root, problems
from .store import CommandError, Store, default_dir, is_server

START_SECONDS, STOP_SECONDS, WAIT_SECONDS = 120, 30, 900
_began = time.monotonic()


def say(text: str) -> None:
    """Talk, with the time since the start; data goes to standard output instead."""
    print(f"{time.monotonic() - _began:6.1f}s  {text}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    """Run one command; its exit status."""
    args = _parser().parse_args(argv)
    store = Store(Path(args.dir).absolute())
    commands = {"up": up, "status": status, "reset": reset, "publish": publish, "down": down, "serve": serve}
    try:
        return commands[args.command](store, args, argv)
    except (CommandError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", default=default_dir(), help="state directory (default: %(default)s)")
    common.add_argument("--json", action="store_true", help="print JSON")
    about = "A local EC2 whose instances are real booted Debian systems."
    parser = argparse.ArgumentParser(prog="bakeline sandbox", description=about)
    names = "{up,status,reset,publish,down}"
    commands = parser.add_subparsers(dest="command", required=True, metavar=names)
    starting = commands.add_parser("up", parents=[common], help="start it")
    works = "how instances run (default: the best that works here)"
    starting.add_argument("--backend", choices=("nspawn", "chroot"), help=works)
    starting.add_argument("--port", type=int, default=0, help="loopback port of the API (default: a free one)")
    showing = commands.add_parser("status", parents=[common], help="what runs")
    showing.add_argument("--env", action="store_true", help="print exports for a shell")
    commands.add_parser("reset", parents=[common], help="end the instances and forget all state")
    publishing = commands.add_parser("publish", parents=[common], help="publish a newer vendor AMI")
    publishing.add_argument("release", choices=("debian-12", "debian-13"))
    commands.add_parser("down", parents=[common], help="stop it and remove everything but the cache")
    inner = commands.add_parser("serve", parents=[common])
    inner.add_argument("--backend", required=True)
    inner.add_argument("--why", default="")
    inner.add_argument("--port", type=int, default=0)
    return parser


def up(store: Store, args: argparse.Namespace, argv: list[str]) -> int:
    """Start the sandbox, or say that it is up."""
    if not (state := store.up()):
        needed = become_root(argv)
        if found := [*([needed] if needed else []), *problems(store.path, args.backend, args.port)]:
            return _report(found, args.json)
        store.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = store.lock()
        if lock is None:
            say("waiting for another command that is at work here")
        seconds = WAIT_SECONDS if lock is None and store.holder()[0] == "command" else START_SECONDS
        deadline = time.monotonic() + seconds
        while lock is None and not (state := store.up()):
            if time.monotonic() > deadline:
                role, pid = store.holder()
                text = f"the {role} with pid {pid} holds {store.path} and doesn't answer"
                raise CommandError(f"{text}: `{store.command('down')}` ends it")
            lock = store.lock(0.5)
        if lock is not None:
            return _show(store, _start(store, args, lock), args.json)
    assert state
    say("already up")
    return _show(store, state, args.json)


def _start(store: Store, args: argparse.Namespace, lock: int) -> dict[str, Any]:
    from .backends.pick import pick
    from .roots import Roots

    backend, why = pick(store.path, args.backend)
    say(f"backend {backend.name}: {why}")
    _sweep(store)
    backend.sweep()
    Roots(store.path).ensure(progress=say)
    say("starting the API")
    log = store.run / "server.log"
    command = [sys.executable, "-m", "bakeline_sandbox", "serve", "--dir", str(store.path), "--port", str(args.port)]
    command += ["--backend", backend.name, "--why", why]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    environ.pop("BAKELINE_SANDBOX_DIR", None)  # other shells may not have it, so the server's hints need `--dir`
    quiet = {"stdin": subprocess.DEVNULL, "stdout": log.open("ab"), "stderr": subprocess.STDOUT, "cwd": "/"}
    server = subprocess.Popen(command, start_new_session=True, pass_fds=(lock,), env=environ, **quiet)  # type: ignore[call-overload]
    store.note_holder("server", server.pid)
    deadline = time.monotonic() + START_SECONDS
    while not (state := store.up()):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            lines = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise CommandError(f"the API didn't start (log: {log}):\n  " + "\n  ".join(lines))
        time.sleep(0.1)
    say("up")
    return state


def _sweep(store: Store) -> None:
    """Remove what a server that ended badly left, by the backend it used."""
    from .backends.pick import pick

    if store.run.exists():
        pick(store.path, (store.state() or {}).get("backend", "nspawn"))[0].sweep()
        store.clear()


def _report(found: list[Problem], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"up": False, "problems": [{"cause": p.cause, "fix": p.fix} for p in found]}))
    print("the sandbox can't run here:", file=sys.stderr)
    for problem in found:
        print(f"  - {problem.cause}\n    fix: {problem.fix}", file=sys.stderr)
    return 1


def _show(store: Store, state: dict[str, Any], as_json: bool) -> int:
    try:
        facts = store.ask("status")
    except CommandError as error:
        facts = {"note": str(error)}
    if as_json:
        print(json.dumps({"up": True, **state, **facts}))
        return 0
    lines = [
        ("endpoint", f"{state['endpoint']} ({state['region']}), pid {state['pid']}, since {state['started']}"),
        ("backend", f"{state['backend']}: {state['why']}"),
    ]
    for region, counts in sorted(facts.get("instances", {}).items()):
        listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        lines.append(("instances", f"{region}: {listed}"))
    lines += [("image", "{id} {region} {state} {name}".format(**image)) for image in facts.get("images", [])]
    lines += [("vendor AMI", image["name"]) for image in facts.get("vendor", [])]
    lines.append(("environment", f'{state["env"]}: eval "$({store.command("status --env")})"'))
    lines += [(f"{name} log", path) for name, path in state["logs"].items()]
    lines += [("note", facts["note"])] if "note" in facts else []
    for name, text in lines:
        print(f"{name:<12} {text}")
    return 0


def status(store: Store, args: argparse.Namespace, _: list[str]) -> int:
    """Say whether it is up and what runs in it."""
    state = store.up()
    if state is None:
        swept = f", and it ended without `down`: `{store.command('up')}` or `down` sweeps" if store.run.exists() else ""
        if args.json:
            print(json.dumps({"up": False}))
        print(f"the sandbox is not up{swept}", file=sys.stderr)
        return 1
    if not args.env:
        return _show(store, state, args.json)
    for name, value in store.env().items():
        print(f"export {name}={shlex.quote(value)}" if "'" in value else f"export {name}='{value}'")
    return 0


def reset(store: Store, args: argparse.Namespace, _: list[str]) -> int:
    """End the instances, forget the rest."""
    return _answer(args, store.ask("reset", {}), "the sandbox is empty again")


def publish(store: Store, args: argparse.Namespace, _: list[str]) -> int:
    """Publish a newer vendor AMI."""
    made = store.ask("publish", {"release": args.release})
    return _answer(args, made, made["name"])


def _answer(args: argparse.Namespace, facts: dict[str, Any], text: str) -> int:
    print(json.dumps(facts) if args.json else text)
    return 0


def down(store: Store, args: argparse.Namespace, argv: list[str]) -> int:
    """Stop the server in order, or by force, and remove all but the cache."""
    if store.run.exists() or store.up():
        if needed := become_root(argv):
            return _report([needed], args.json)
        if store.lock() is None:
            role, pid = store.holder()
            if role != "server":
                raise CommandError(f"another command is at work here (pid {pid}): wait for it, or interrupt it")
            _stop(store, pid)
        _sweep(store)
        store.clear()
    return _answer(args, {"up": False}, "the sandbox is down")


def _stop(store: Store, pid: int) -> None:
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
        if is_server(pid):
            os.kill(pid, number)
        if store.lock(seconds) is not None:
            return
        say(f"the server (pid {pid}) didn't end within {seconds} s")
    raise CommandError(f"the server (pid {pid}) can't be ended: see {store.run / 'server.log'}")


def serve(store: Store, args: argparse.Namespace, _: list[str]) -> int:
    """The server itself; `up` starts it."""
    from .server import serve as run

    return run(store, args.backend, args.why, args.port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
