"""Runs code inside network namespaces."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import HostError

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def call_in_netns(name: str, action: Callable[[], T]) -> T:
    """Calls `action` in a thread of the network namespace; its sockets stay in the namespace.

    Exceptions of `action` are raised in the calling thread.
    """
    outcome: list[Any] = []

    def enter_and_call() -> None:
        try:
            _enter_netns(name)
            outcome.append(action())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=enter_and_call)
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    result: T = outcome[0]
    return result


def _enter_netns(name: str) -> None:
    try:
        with open(f"/run/netns/{name}") as namespace:
            if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                reason = os.strerror(ctypes.get_errno())
                raise HostError(f"cannot enter network namespace `{name}`: {reason}")
    except FileNotFoundError:
        raise HostError(f"network namespace `{name}` does not exist") from None
