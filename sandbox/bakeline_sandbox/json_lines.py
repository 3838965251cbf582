"""Writes logs in the JSON Lines format."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class JsonLines:
    """Log file to which several threads append."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()

    def append(self, **fields: Any) -> None:
        """Appends one line with the current time and these fields."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock, self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"time": time, **fields}) + "\n")
