"""The command line: what it says and leaves when nothing runs, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bakeline_sandbox import __main__ as cli
from bakeline_sandbox import preflight, server
from bakeline_sandbox.backends import Problem
from bakeline_sandbox.store import DEFAULT_DIR, Store, is_server


def run(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bakeline_sandbox", words[0], "--dir", str(store), *words[1:]]
    return subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False, timeout=300
    )


def test_when_down(tmp_path: Path) -> None:
    store = tmp_path / "store"
    down = run(store, "down")
    assert (down.returncode, down.stdout) == (0, "the sandbox is down\n")
    status = run(store, "status", "--json")
    assert (status.returncode, json.loads(status.stdout)) == (1, {"up": False})
    assert f"bakeline sandbox up --dir {store}" in run(store, "reset").stderr
    assert not store.exists()
    assert run(store, "publish", "debian-11").returncode == 2


def test_problems_come_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Problem("no mmdebstrap", "apt install mmdebstrap"), Problem("disk full", "free 2 GB")]
    monkeypatch.setattr(cli, "problems", lambda *_: found)
    monkeypatch.setattr(cli, "become_root", lambda _: None)
    assert cli.main(["up", "--dir", str(tmp_path / "s"), "--json"]) == 1
    out, err = capsys.readouterr()
    assert [p["cause"] for p in json.loads(out)["problems"]] == ["no mmdebstrap", "disk full"]
    assert "fix: free 2 GB" in err
    assert not (tmp_path / "s").exists()


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.shutil, "which", lambda _: None)
    problem = preflight.become_root(["up"])
    assert problem is not None and "root" in problem.cause
    monkeypatch.setattr(preflight.shutil, "which", lambda _: "/bin/false")
    problem = preflight.become_root(["up"])
    assert problem is not None and "sudo -v" in problem.fix
    calls: list[list[str]] = []
    monkeypatch.setattr(preflight.shutil, "which", lambda _: "/bin/true")
    monkeypatch.setattr(os, "execv", lambda _, words: calls.append(words))
    preflight.become_root(["up", "--json"])
    assert calls[0][-2:] == ["up", "--json"]


def test_lock_is_exclusive_and_says_who(tmp_path: Path) -> None:
    first, second = Store(tmp_path), Store(tmp_path)
    held = first.lock()
    assert held is not None
    assert second.lock() is None
    assert second.holder() == ("command", os.getpid())
    threading.Timer(0.3, lambda: os.close(held)).start()
    assert second.lock(60) is not None
    assert not is_server(os.getpid())


def test_private_files(tmp_path: Path) -> None:
    server.write_private(tmp_path / "env", "KEY=value\n")
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    server.write_private(tmp_path / "env", "KEY=other\n")
    (tmp_path / "run").mkdir()
    server.write_private(tmp_path / "run" / "env", "A=b=c\nD=e\n")
    assert Store(tmp_path).env() == {"A": "b=c", "D": "e"}


def test_status_names_the_directory_that_it_was_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {
        "endpoint": "http://127.0.0.1:1", "region": "eu-central-1", "pid": 1, "started": "now", "backend": "nspawn", "why": "",
        "env": "/x/env", "logs": {},
    }  # fmt: skip
    monkeypatch.setattr(Store, "up", lambda _: state)
    monkeypatch.setattr(Store, "ask", lambda *_: {})
    monkeypatch.delenv("BAKELINE_SANDBOX_DIR", raising=False)

    def line(*words: str) -> str:
        assert cli.main(["status", *words]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("environment"))

    assert line().endswith('eval "$(bakeline sandbox status --env)"')
    place = tmp_path / "my sandbox"
    named = f"eval \"$(bakeline sandbox status --env --dir '{place}')\""
    assert line("--dir", str(place)).endswith(named)
    monkeypatch.chdir(tmp_path)
    assert line("--dir", "my sandbox").endswith(named), "the line works in every directory"
    monkeypatch.setenv("BAKELINE_SANDBOX_DIR", str(place))
    assert line().endswith('eval "$(bakeline sandbox status --env)"')
    assert line("--dir", DEFAULT_DIR).endswith(f'--dir {DEFAULT_DIR})"')
