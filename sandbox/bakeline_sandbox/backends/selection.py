"""Selects the backend: booted containers if the host allows them, otherwise chroots."""

from __future__ import annotations

from pathlib import Path

from ..errors import InstanceError
from ..instance_backend import InstanceBackend
from .chroot import ChrootBackend
from .nspawn import NspawnBackend
from .requirements import chroot_problems, nspawn_problems
from .stub import StubBackend


def create_backend(state_dir: Path, name: str) -> InstanceBackend:
    """Creates the backend with this name."""
    if name == "stub":
        return StubBackend()
    return ChrootBackend(state_dir) if name == "chroot" else NspawnBackend(state_dir)


def select_backend(state_dir: Path, requested: str | None) -> tuple[InstanceBackend, str]:
    """Returns the requested backend, or the best one for this host, and the reason."""
    if requested:
        return create_backend(state_dir, requested), "requested with --backend"
    problems = nspawn_problems(state_dir)
    if not problems:
        return NspawnBackend(state_dir), "booted containers can run here"
    if more := chroot_problems(state_dir):
        unique = dict.fromkeys([*problems, *more])
        raise InstanceError("; ".join(f"{problem.cause}: {problem.fix}" for problem in unique))
    return ChrootBackend(state_dir), f"booted containers cannot run: {problems[0].cause}"
