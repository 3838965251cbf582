"""Hostile targets over a real SSH server: answers are never mixed up, and an undetermined check never passes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checking import Checker, CheckRun
from support.debian_root import Server, cached_root, server, writable_root
from support.run import HANG, run
from support.sandbox import clean_env

CHECKS = [
    {"id": "mode", "file": "/etc/judged", "mode": "0600"},
    {"id": "content", "file": "/etc/judged", "content": "secret\n"},
    {"id": "absent", "file": "/closed/evil", "exists": False},
    {"id": "innocent", "file": "/etc/judged", "content": {"not": {"include": "evil"}}},
    {"id": "package", "package": "openssh-server"},
    {"id": "sbin", "command": "command -v sshd", "stdout": "/usr/sbin/sshd\n"},
]
GOOD = dict.fromkeys([check["id"] for check in CHECKS], "passed")
MEASURE_MEMORY = """
import pathlib, resource, subprocess, sys
code = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
"""Runs a program and writes its peak memory in kB. A program inherits the peak of the process that starts it, so this process
is a small one."""
PLAIN = 'exec /bin/sh "$@"'
RECORDING = '/bin/sh "$@" >/opt/said; cat /opt/said'
POWERLESS = "exec setpriv --bounding-set=-dac_override,-dac_read_search "


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with writable_root(cached_root()) as root, server(root, tmp_path_factory.mktemp("stock")) as made:
        yield made


@pytest.fixture
def target(stock: Server) -> Iterator[Server]:
    """Prepares the judged file, yields the target, and restores root's login shell."""
    stock.sh("echo secret > /etc/judged; chmod 0600 /etc/judged; mkdir -p /closed; chmod 0755 /closed")
    set_login_shell(stock, PLAIN)
    yield stock
    (stock.root / "etc/passwd").write_text((stock.root / "etc/passwd").read_text().replace("/opt/shell", "/bin/bash"))


@pytest.fixture
def judged(tmp_path: Path) -> Checker:
    return Checker(tmp_path, CHECKS)


def set_login_shell(to: Server, script: str) -> None:
    """Sets root's login shell."""
    (to.root / "opt/shell").write_text(f"#!/bin/sh\n{script}\n")
    (to.root / "opt/shell").chmod(0o755)
    table = to.root / "etc/passwd"
    table.write_text(table.read_text().replace("root:/bin/bash\n", "root:/opt/shell\n", 1))
    assert "root:/opt/shell\n" in table.read_text()


def record_collection(target: Server, judged: Checker) -> str:
    """Records the output of a successful collection."""
    set_login_shell(target, RECORDING)
    answer = judged.judge(target)
    assert answer.outcomes() == GOOD, answer.done
    said = (target.root / "opt/said").read_text()
    assert said.splitlines()[-1].split()[1:2] == ["end"], said[-200:]
    return said


def test_replayed_answer_is_refused(target: Server, judged: Checker) -> None:
    record_collection(target, judged)
    target.sh("chmod 0666 /etc/judged")
    assert judged.judge(target).outcome("mode") == "failed"
    replay_script = "cat >/dev/null; cat /opt/said"
    target.sh("chmod 0600 /etc/judged")
    record_collection(target, judged)
    target.sh("chmod 0666 /etc/judged")
    set_login_shell(target, replay_script)
    refused = judged.run_refused(target)
    assert "printed no facts" in refused.err, refused


def test_frames_in_file_content_are_text(target: Server, judged: Checker) -> None:
    said = record_collection(target, judged)
    set_login_shell(target, PLAIN)
    # A file contains a complete valid answer, and a command prints it.
    (target.root / "etc/judged").write_text(f"evil\n{said}")
    answer = Checker(judged.at, [*CHECKS, {"id": "cat", "command": "cat /etc/judged", "stdout": {"match": "^evil$"}}])
    outcomes = answer.judge(target).outcomes()
    wanted = GOOD | {"content": "failed", "innocent": "failed", "cat": "passed"}
    assert outcomes == wanted


@pytest.mark.parametrize("cut", ["head -n 0", "head -n 1", "head -n 4", "sed '$d'", "head -c -2", "sed 3d"])
def test_truncated_answer_is_an_error(cut: str, target: Server, judged: Checker) -> None:
    assert len(record_collection(target, judged).splitlines()) > 6
    set_login_shell(target, f'/bin/sh "$@" | {cut}')
    refused = judged.run_refused(target)
    assert "printed no facts" in refused.err or "the output of the collector" in refused.err, refused


@pytest.mark.parametrize(
    "noise",
    [
        "printf 'Welcome to your machine!\\nprompt> '; " + PLAIN,
        "printf 'no newline at the end'; " + PLAIN,
        "printf '\\377\\000\\033[31mbinary\\n'; " + PLAIN,
        '/bin/sh "$@" | sed "s/^/    amazon-ebs: /; s/$/$(printf \'\\r\')/"',
        "echo to stderr >&2; " + PLAIN,
        '/bin/sh "$@"; echo Bye',
    ],
)
def test_other_output_is_ignored(noise: str, target: Server, judged: Checker) -> None:
    set_login_shell(target, noise)
    assert len(target.ssh("echo x").stdout + target.ssh("echo x").stderr) > 2, "the shell printed no noise"
    assert judged.judge(target).outcomes() == GOOD


def test_path_without_sbin_hides_nothing(target: Server, judged: Checker) -> None:
    set_login_shell(target, f"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games {PLAIN}")
    assert target.ssh("command -v sshd").returncode != 0, "sshd is still in PATH"
    assert judged.judge(target).outcomes() == GOOD


def test_unreadable_file_is_an_error(target: Server, judged: Checker) -> None:
    target.sh("chmod 0 /etc/judged /closed")
    set_login_shell(target, POWERLESS + '/bin/sh "$@"')
    assert target.ssh("cat /etc/judged").returncode != 0, "the file can be read in spite of its mode"
    answer: CheckRun = judged.judge(target)
    denied = {name: answer.outcome(name) for name in ("content", "absent", "innocent")}
    assert denied == dict.fromkeys(denied, "error"), answer.done
    assert "enied" in answer.messages("absent") and "enied" in answer.messages("content")
    assert answer.outcome("mode") == "failed" and answer.outcome("package") == "passed", answer.done


def test_loop_over_empty_list_is_skipped(target: Server, tmp_path: Path) -> None:
    loop = {"id": "loop", "for_each": {"path": "$inputs.paths"}, "file": "${path}", "mode": "0644"}
    judged = Checker(tmp_path, [])
    for paths, outcome in ((["/etc/passwd"], "passed"), ([], "skipped")):
        text = f'{{"inputs": {{"paths": {{"default": {str(paths).replace(chr(39), chr(34))}}}}}, "checks": [LOOP]}}'
        body = text.replace("LOOP", str(loop).replace("'", '"'))
        (tmp_path / "profiles/judged.yaml").write_text(body)
        answer = judged.judge(target)
        assert answer.outcome("loop") == outcome and answer.messages("loop").strip(), answer.done


def test_drop_in_settings_count(target: Server, tmp_path: Path) -> None:
    wanted = {"permitrootlogin": "no", "x11forwarding": "no"}
    judged = Checker(tmp_path, [{"id": view, "sshd_config": view, **wanted} for view in ("effective", "file")])
    assert judged.judge(target).outcomes() == dict.fromkeys(("effective", "file"), "failed")
    drop_in = target.root / "etc/ssh/sshd_config.d/judged.conf"
    drop_in.write_text("PermitRootLogin no\nX11Forwarding no\n")
    try:
        assert judged.judge(target).outcomes() == dict.fromkeys(("effective", "file"), "passed")
        # Without host keys, as in a sealed image, `sshd -T` fails. The options then come from the files.
        target.sh("mkdir /opt/keys; mv /etc/ssh/ssh_host_*_key /opt/keys")
        assert "no hostkeys" in target.sh("sshd -T 2>&1", want=None)
        assert judged.judge(target.root, phase="build").outcome("effective") == "passed"
    finally:
        drop_in.unlink()
        target.sh("mv /opt/keys/* /etc/ssh; rmdir /opt/keys", want=None)


def test_target_without_tools_is_refused(target: Server, judged: Checker) -> None:
    tools = target.root / "usr/bin"
    shutil.move(tools / "od", tools / "od.away")
    try:
        refused = judged.run_refused(target)
        assert "od" in refused.err.split() or "`od`" in refused.err, refused
    finally:
        shutil.move(tools / "od.away", tools / "od")
    set_login_shell(target, "echo go away; exit 1")
    assert "go away" in judged.run_refused(target).err


def test_wrong_host_key_is_refused_before_sending(target: Server, judged: Checker) -> None:
    set_login_shell(target, f"touch /opt/entered; {PLAIN}")
    right = target.known_hosts.read_text()
    other = "AAAAC3NzaC1lZDI1NTE5AAAAIKQv1fQ1Y8cXRKqJmVq3nfl9pHbUY4S8m8w7mYqqb7nC"
    target.known_hosts.write_text(f"{right.rpartition(' ')[0]} {other}\n")
    try:
        assert "ost key" in judged.run_refused(target).err
        assert not (target.root / "opt/entered").exists()
    finally:
        target.known_hosts.write_text(right)
    assert judged.judge(target).outcomes() == GOOD and (target.root / "opt/entered").exists()


@pytest.mark.parametrize("name", ["ssh://-oProxyCommand=touch${IFS}pwned/", "-oProxyCommand=touch pwned", "ssh://a b"])
def test_option_as_target_is_refused(name: str, judged: Checker) -> None:
    done = judged.run("--json", "--", name)
    assert done.code in (1, 2) and not list(judged.at.rglob("pwned")), done


def test_checks_without_root_are_refused(target: Server, judged: Checker) -> None:
    target.sh("useradd -m -s /bin/sh plain; cp -r /root/.ssh /home/plain/.ssh; chown -R plain: /home/plain/.ssh")
    done = judged.run("ssh://plain@stock", "--ssh-config", str(target.config), "--json")
    assert done.code not in (0, 3) and "sudo" in done.err and "outcome" not in done.out, done


def test_output_flood_ends_with_error_in_bounded_memory(target: Server, judged: Checker) -> None:
    set_login_shell(target, "cat >/dev/null & head -c 300000000 /dev/zero | tr '\\0' x")
    words = [*judged.command(), *judged.words(target), "--json"]
    done = run([sys.executable, "-c", MEASURE_MEMORY, "peak", *words], judged.at, clean_env())
    peak = int((judged.at / "peak").read_text())
    assert done.code not in (0, 3) and not done.out and "MB" in done.err.replace("MiB", "MB"), done
    assert 1_000 < peak < 200_000, f"{peak} kB"


def test_hanging_command_is_an_error(target: Server, tmp_path: Path) -> None:
    hang = {"id": "hang", "command": "sleep 1000", "timeout": 1, "exit_status": {"not": 0}}
    quick = {"id": "quick", "command": "true"}
    answer = Checker(tmp_path, [hang, quick]).judge(target)
    assert answer.outcomes() == {"hang": "error", "quick": "passed"} and "1 s" in answer.messages("hang")
    assert "sleep 1000" not in target.sh("ps ax"), "the command still runs"


def test_noexec_tmp_does_not_prevent_checks(target: Server, judged: Checker) -> None:
    target.sh("mount -t tmpfs -o noexec,ro r /tmp")
    try:
        assert judged.judge(target).outcomes() == GOOD
    finally:
        target.sh("umount /tmp")


def test_expensive_patterns_end_in_time(target: Server, tmp_path: Path) -> None:
    judged = Checker(tmp_path, [{"id": "regex", "command": "head -c 200000 /dev/zero | tr '\\0' a; echo b"}])
    wild = {"id": "regex", "command": "head -c 200000 /dev/zero | tr '\\0' a; echo b", "stdout": {"match": "^(a+)+$"}}
    assert Checker(tmp_path, [wild]).judge(target).outcome("regex") in ("failed", "error")
    line = "- &{name} [" + ", ".join(["*{before}"] * 9) + "]\n"
    bomb = "a0: &l0 [x]\n" + "".join(
        f"a{n}: " + line.format(name=f"l{n}", before=f"l{n - 1}")[2:] for n in range(1, 12)
    )
    (tmp_path / "profiles/judged.yaml").write_text(f"{bomb}checks: *l11\n")
    done = judged.run(*judged.words(target), timeout=HANG)
    assert done.code == 1 and "profiles/judged.yaml" in done.err, done
