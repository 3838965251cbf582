"""Dispatches requests to the backends of moto."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app


class BackendDispatcher(DomainDispatcherApplication):
    """Finds the backend of a host once. moto lists a directory of its package for each request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._find_backend = lru_cache(maxsize=256)(super().get_backend_for_host)

    def get_backend_for_host(self, host: str | None) -> Any:
        """Returns the backend of a host such as `ec2.eu-central-1.amazonaws.com`."""
        return self._find_backend(host)
