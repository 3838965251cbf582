"""Tests the command line without a running server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest

from bakeline_sandbox import cli, commands, daemon, preflight
from bakeline_sandbox.backends.requirements import Problem
from bakeline_sandbox.state_dir import DEFAULT_DIR, StateDirectory, is_server_process

STATE = {
    "endpoint": "http://127.0.0.1:1",
    "region": "eu-central-1",
    "pid": 1,
    "started": "now",
    "backend": "nspawn",
    "why": "",
    "env": "/x/env",
    "logs": {},
}


def run_command(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    name, *options = arguments
    command = [sys.executable, "-m", "bakeline_sandbox", name, "--dir", str(state_dir), *options]
    package_dir = Path(__file__).parent.parent
    return subprocess.run(
        command, cwd=package_dir, capture_output=True, text=True, check=False, timeout=300
    )


def test_commands_without_server_report_it(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    down = run_command(state_dir, "down")
    assert (down.returncode, down.stdout) == (0, "the local EC2 was not running\n")
    assert f"bakeline sandbox up --dir {state_dir}" in run_command(state_dir, "status").stderr
    status = run_command(state_dir, "status", "--json")
    assert (status.returncode, json.loads(status.stdout)) == (1, {"up": False})
    assert f"bakeline sandbox up --dir {state_dir}" in run_command(state_dir, "reset").stderr
    assert not state_dir.exists()
    assert run_command(state_dir, "publish", "debian-11").returncode == 2


def test_up_reports_all_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [
        Problem("no mmdebstrap", "apt install mmdebstrap"),
        Problem("disk full", "free 2 GB"),
    ]
    monkeypatch.setattr(commands, "find_problems", lambda *_: problems)
    monkeypatch.setattr(commands, "become_root", lambda _: None)
    assert cli.main(["up", "--dir", str(tmp_path / "state"), "--json"]) == 1
    output, errors = capsys.readouterr()
    causes = [problem["cause"] for problem in json.loads(output)["problems"]]
    assert causes == ["no mmdebstrap", "disk full"]
    assert "fix: free 2 GB" in errors
    assert not (tmp_path / "state").exists()


def test_become_root_uses_sudo_without_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.shutil, "which", lambda _: None)
    problem = preflight.become_root(["up"])
    assert problem is not None and "root" in problem.cause
    monkeypatch.setattr(preflight.shutil, "which", lambda _: "/bin/false")
    problem = preflight.become_root(["up"])
    assert problem is not None and "sudo -v" in problem.fix
    calls: list[list[str]] = []
    monkeypatch.setattr(preflight.shutil, "which", lambda _: "/bin/true")
    monkeypatch.setattr(os, "execv", lambda _, command: calls.append(command))
    preflight.become_root(["up", "--json"])
    assert calls[0][-2:] == ["up", "--json"]


def test_lock_is_exclusive_and_names_its_holder(tmp_path: Path) -> None:
    first, second = StateDirectory(tmp_path), StateDirectory(tmp_path)
    lock = first.acquire_lock()
    assert lock is not None
    assert second.acquire_lock() is None
    assert second.read_lock_holder() == ("command", os.getpid())
    threading.Timer(0.3, lambda: os.close(lock)).start()
    assert second.acquire_lock(60) is not None
    assert not is_server_process(os.getpid())


def test_environment_file_is_private(tmp_path: Path) -> None:
    daemon.write_private_file(tmp_path / "env", "KEY=value\n")
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    daemon.write_private_file(tmp_path / "env", "KEY=other\n")
    (tmp_path / "run").mkdir()
    daemon.write_private_file(tmp_path / "run" / "env", "A=b=c\nD=e\n")
    assert StateDirectory(tmp_path).read_environment() == {"A": "b=c", "D": "e"}


def test_status_names_the_requested_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(StateDirectory, "running_state", lambda _: STATE)
    monkeypatch.setattr(StateDirectory, "call_control_api", lambda *_: {})
    monkeypatch.delenv("BAKELINE_SANDBOX_DIR", raising=False)

    def environment_row(*options: str) -> str:
        assert cli.main(["status", *options]) == 0
        rows = capsys.readouterr().out.splitlines()
        return next(row for row in rows if row.startswith("to use it"))

    without_directory = 'eval "$(bakeline sandbox status --env)"'
    assert environment_row().endswith(without_directory)
    directory = tmp_path / "my sandbox"
    with_directory = f"eval \"$(bakeline sandbox status --env --dir '{directory}')\""
    assert environment_row("--dir", str(directory)).endswith(with_directory)
    monkeypatch.chdir(tmp_path)
    # A relative directory becomes absolute, so the command works in every directory.
    assert environment_row("--dir", "my sandbox").endswith(with_directory)
    monkeypatch.setenv("BAKELINE_SANDBOX_DIR", str(directory))
    assert environment_row().endswith(without_directory)
    assert environment_row("--dir", DEFAULT_DIR).endswith(f'--dir {DEFAULT_DIR})"')


def test_stub_backend_needs_no_privileges(tmp_path: Path) -> None:
    unprivileged = []
    if os.geteuid() == 0:  # keep the user, so that the checkout stays readable, but no capability
        unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        check = ["unshare", "--mount", "true"]
        assert subprocess.run(check, check=False).returncode == 0, "root may mount"
        refused = subprocess.run([*unprivileged, *check], check=False, capture_output=True)
        assert refused.returncode, "without capabilities, root may not mount"
    state_dir = tmp_path / "state"

    def sandbox(*arguments: str) -> str:
        command = [*unprivileged, sys.executable, "-m", "bakeline_sandbox", *arguments]
        options = ["--dir", str(state_dir)]
        return subprocess.run(
            [*command, *options],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        ).stdout

    try:
        state = json.loads(sandbox("up", "--backend", "stub", "--json"))
        assert state["backend"] == "stub"
        launch_and_publish(state, StateDirectory(state_dir).read_environment())
        assert "debian-12" in sandbox("publish", "debian-12")
        sandbox("reset")
    finally:
        sandbox("down")
    assert not (state_dir / "run").exists()
    assert not list((state_dir / "cache").glob("debian-*")), "no vendor root was built"


def test_up_with_realistic_conditions(tmp_path: Path) -> None:
    state_dir = StateDirectory(tmp_path / "state")

    def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(state_dir.path, *arguments)

    try:
        up = sandbox("up", "--backend", "stub", "--realistic")
        assert "conditions   realistic" in up.stdout, up.stderr
        state_dir.call_control_api("realistic", {"on": False})
        assert state_dir.call_control_api("rates") == {}
        assert sandbox("reset").returncode == 0
        assert state_dir.call_control_api("rates")["enabled"] is True
        assert state_dir.call_control_api("realistic")["on"] is True
        assert sandbox("down").returncode == 0
        assert sandbox("up", "--backend", "stub").returncode == 0
        assert state_dir.call_control_api("realistic") == {"on": False, "values": {}}
        again = sandbox("up", "--backend", "stub", "--realistic")
        assert again.returncode == 1
        assert "already up, without realistic conditions: stop it with" in again.stderr
    finally:
        sandbox("down")


def launch_and_publish(state: dict[str, Any], environment: dict[str, str]) -> None:
    """Launches an instance, creates an AMI of it and launches that AMI."""
    ec2 = boto3.client(
        "ec2",
        region_name=state["region"],
        endpoint_url=state["endpoint"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    for _ in range(2):
        launch = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        instance = ec2.run_instances(ImageId=image, **launch)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
        image = ec2.create_image(InstanceId=instance, Name=f"of-{instance}")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})


def test_interrupted_start_with_stubs_is_cleaned_up_without_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_dir = StateDirectory(tmp_path / "state")
    state_dir.write_backend("stub")
    (state_dir.run_dir / "server.log").write_text("killed before the state was written")

    def fail(_: object) -> Problem:
        raise AssertionError("root is not needed")

    monkeypatch.setattr(commands, "become_root", fail)
    assert cli.main(["down", "--dir", str(state_dir.path)]) == 0
    assert not state_dir.run_dir.exists()
