"""Which backend runs the instances: booted containers where the host allows it, chroots where it doesn't."""

from __future__ import annotations

from pathlib import Path

from . import chroot, needs, nspawn
from .base import Backend
from .system import BackendError


def pick(store: Path, wanted: str | None) -> tuple[Backend, str]:
    """The backend, and why this one."""
    if wanted:
        return (chroot.ChrootBackend(store) if wanted == "chroot" else nspawn.NspawnBackend(store)), "asked for"
    booted = needs.booted(store)
    if not booted:
        return nspawn.NspawnBackend(store), "booted containers work here"
    if plain := needs.plain(store):
        raise BackendError("; ".join(f"{p.cause}: {p.fix}" for p in dict.fromkeys([*booted, *plain])))
    return chroot.ChrootBackend(store), f"no booted containers, because {booted[0].cause}"
