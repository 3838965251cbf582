"""Runs `bakeline check` on a root or a server and parses its report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .debian_root import Server
from .run import BAKELINE, HANG, CompletedRun, run
from .sandbox import clean_env

BAD = {"failed", "error"}


@dataclass(frozen=True)
class CheckRun:
    """Verdicts of one run by control, and the completed process."""

    verdicts: Mapping[str, Any]
    done: CompletedRun

    def outcome(self, control: str) -> str:
        return str(self.verdicts[control]["status"])

    def outcomes(self) -> dict[str, str]:
        return {name: str(verdict["status"]) for name, verdict in self.verdicts.items()}

    def messages(self, control: str) -> str:
        return "; ".join(result["message"] for result in self.verdicts[control]["results"])


def add_ids(checks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the checks with generated IDs."""
    return [{"id": f"c{number}", **check} for number, check in enumerate(checks)]


class Checker:
    """A catalog in its own directory and the profiles to check. Given checks become its only profile."""

    def __init__(self, at: Path, checks: Sequence[Mapping[str, Any]], *profiles: str) -> None:
        self.at, self.profiles = at, profiles or ("judged",)
        (at / "images").mkdir(parents=True, exist_ok=True)
        (at / "profiles").mkdir(exist_ok=True)
        (at / "bakeline.yaml").write_text('{"name": "judge", "regions": ["us-east-1"]}')
        source = {"owner": "136693071363", "name": "debian-12-amd64-*"}
        (at / "images/app.yaml").write_text(json.dumps({"source": source, "profiles": list(self.profiles)}))
        if checks:
            (at / f"profiles/{self.profiles[0]}.yaml").write_text(json.dumps({"checks": list(checks)}))

    def words(self, target: Server | Path | str) -> list[str]:
        """Returns the arguments that select the target."""
        if isinstance(target, Server):
            return [target.url, "--ssh-config", str(target.config)]
        return [str(target)]

    def run(self, *words: str, timeout: float = HANG) -> CompletedRun:
        return run([*self.command(), *words], self.at, clean_env(), timeout=timeout)

    def command(self) -> list[str]:
        return [BAKELINE, "check", *(word for name in self.profiles for word in ("--profile", name))]

    def judge(self, target: Server | Path | str, *more: str, phase: str = "boot") -> CheckRun:
        """Runs the checks and returns the verdicts, of which there must be at least one."""
        done = self.run(*self.words(target), "--phase", phase, "--json", *more)
        assert done.code in (0, 3), done
        report = json.loads(done.out)
        listed = [control for profile in report["profiles"] for control in profile["controls"]]
        verdicts = {control["id"]: control for control in listed}
        assert len(verdicts) == len(listed) > 0, done
        assert done.code == (3 if BAD & {control["status"] for control in listed} else 0), done
        return CheckRun(verdicts, done)

    def run_refused(self, target: Server | Path | str, *more: str, phase: str = "boot") -> CompletedRun:
        """Runs the checks, which must fail with an error and without verdicts."""
        done = self.run(*self.words(target), "--phase", phase, "--json", *more)
        assert done.code not in (0, 3), done
        assert not re.search('"outcome"', done.out), done
        return done
