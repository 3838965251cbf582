"""Parses the command line and runs one command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .errors import SandboxError
from .state_dir import StateDirectory, default_dir

COMMANDS = {
    "up": commands.start_sandbox,
    "status": commands.show_status,
    "reset": commands.reset_sandbox,
    "publish": commands.publish_vendor_ami,
    "down": commands.stop_sandbox,
    "serve": commands.run_server,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command in `argv` (default: the arguments of the process); returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _create_parser().parse_args(arguments)
    args.argv = arguments
    state_dir = StateDirectory(Path(args.dir).absolute())
    try:
        return COMMANDS[args.command](state_dir, args)
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _create_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--dir", default=default_dir(), help="state directory (default: %(default)s)"
    )
    common.add_argument("--json", action="store_true", help="print JSON")
    parser = argparse.ArgumentParser(
        prog="bakeline sandbox",
        description="A local EC2 whose instances are booted Debian systems.",
    )
    listed = "{up,status,reset,publish,down}"
    subparsers = parser.add_subparsers(dest="command", required=True, metavar=listed)

    up = subparsers.add_parser("up", parents=[common], help="start the local EC2")
    backend_help = (
        "how to run instances; a stub boots nothing and needs no root "
        "(default: nspawn if this host allows it, otherwise chroot)"
    )
    up.add_argument("--backend", choices=("nspawn", "chroot", "stub"), help=backend_help)
    port_help = "port of the API on 127.0.0.1 (default: a free port)"
    up.add_argument("--port", type=int, default=0, help=port_help)

    realistic_help = "imitate delays, rates and policies of AWS, also after a reset"
    up.add_argument("--realistic", action="store_true", help=realistic_help)

    status = subparsers.add_parser("status", parents=[common], help="show instances and AMIs")
    status.add_argument("--env", action="store_true", help="print `export` lines for a shell")

    reset_help = "terminate all instances and delete all other state"
    subparsers.add_parser("reset", parents=[common], help=reset_help)

    publish = subparsers.add_parser("publish", parents=[common], help="publish a newer vendor AMI")
    publish.add_argument("release", choices=("debian-12", "debian-13"))

    down_help = "stop the local EC2 and delete everything except the cache"
    subparsers.add_parser("down", parents=[common], help=down_help)

    serve = subparsers.add_parser("serve", parents=[common])  # started by `up`
    serve.add_argument("--backend", required=True)
    serve.add_argument("--reason", default="")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--realistic", action="store_true")
    return parser
