#!/usr/bin/env python3
"""Measures checking over SSH, interleaved in one run: a bare login, bakeline, pytest-testinfra and goss; and judging recorded facts.

What is compared: the same machine over the same OpenSSH client with one configuration. 60 assertions that all three can make (files,
packages, services, accounts, groups), whose values are read from the machine first, so that all of them hold; each tool must say that
60 held. testinfra keeps one connection for all its commands (ControlPersist, its own default, with a ControlPath, without which it has
no effect); goss gets its binary and its file through one connection and runs in it. `BAKELINE_BENCH_ROOT=1` measures on a stock root
with an ssh server on this machine's loopback instead of the local EC2.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests/e2e"))

from measured import measured
from support.debian_root import EQUIPMENT, cached_root, server, writable_root
from support.instance import running_instance
from support.sandbox import Sandbox, clean_env

BAKELINE = os.environ["BAKELINE"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
GOSS = "v0.4.10"
FILES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/login.defs", "/etc/ssh/sshd_config")
FILES += ("/etc/ssh/ssh_config", "/var/log", "/etc/crontab", "/etc/sudoers")
PRESENT, ABSENT = (
    ("openssh-server", "sudo", "procps", "libc6", "login"),
    ("telnetd", "xinetd", "rsh-server", "nis", "tftpd"),
)
SERVICES = ("ssh", "cron", "systemd-networkd", "systemd-pstore")
ACCOUNTS, GROUPS = ("root", "daemon", "sys"), ("root", "shadow", "adm")
CONTROLS, AIM_JUDGE_SECONDS, AIM_JUDGE_MB = 10_000, 0.2, 100.0
FILES_OF_CONTROLS = 5
"""One file has a limit of values."""


def main() -> None:
    """Everything in one run."""
    with tempfile.TemporaryDirectory(prefix="bakeline-bench-") as work, target(Path(work)) as (config, sudo):
        bench = Bench(Path(work), config, sudo)
        bench.over_ssh()
        bench.recorded()


@contextlib.contextmanager
def target(at: Path) -> Iterator[tuple[Path, bool]]:
    """A machine as `Host target` of an OpenSSH configuration, and whether `sudo` is needed there."""
    if os.environ.get("BAKELINE_BENCH_ROOT"):
        with writable_root(cached_root(EQUIPMENT)) as root, server(root, at) as made:
            made.config.write_text(made.config.read_text().replace("Host stock", "Host target"))
            yield made.config, False
        return
    sandbox = Sandbox(Path(os.environ["BAKELINE_SANDBOX_DIR"]))
    sandbox.read()
    vendor = sandbox.client("ec2").describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])[
        "Images"
    ]
    newest = max(vendor, key=lambda image: str(image["CreationDate"]))
    with running_instance(sandbox, newest["ImageId"], at) as machine:
        machine.ssh(
            "cloud-init status --wait >/dev/null 2>&1; sudo sh -c 'apt-get -qq update && apt-get -qq install -y cron' >/dev/null 2>&1"
        )
        (at / "known_hosts").write_text(f"{machine.address} ssh-ed25519 {machine.host_key()}\n")
        lines = {"HostName": machine.address, "User": "admin", "IdentityFile": machine.key, "IdentitiesOnly": "yes"}
        lines |= {"IdentityAgent": "none", "UserKnownHostsFile": at / "known_hosts", "StrictHostKeyChecking": "yes"}
        (at / "config").write_text("Host target\n" + "".join(f"  {k} {v}\n" for k, v in lines.items()))
        yield at / "config", True


class Bench:
    """The tools, set up to ask one machine the same things."""

    def __init__(self, at: Path, config: Path, sudo: bool) -> None:
        self.at, self.config, self.sudo = at, config, "sudo " if sudo else ""
        self.env = {**clean_env(), "PATH": f"{REPO}/.venv/bin:{os.environ['PATH']}"}
        self.catalog = at / "catalog"
        (self.catalog / "images").mkdir(parents=True)
        shutil.copytree(REPO / "profiles", self.catalog / "profiles")
        (self.catalog / "bakeline.yaml").write_text('{"name": "bench", "regions": ["us-east-1"]}')
        self.stat = {path: self.ssh(f"{self.sudo}stat -c '%a %U %G' {path}").split() for path in FILES}
        self.enabled = {
            name: self.ssh(f"systemctl is-enabled {name} || true").strip() == "enabled" for name in SERVICES
        }
        self.bakeline_60()
        self.testinfra_60()
        self.goss_60()

    def ssh(self, command: str, given: bytes | None = None) -> str:
        """Through the one client that all use."""
        words = ["ssh", "-F", str(self.config), "target", command]
        return subprocess.run(words, input=given or b"", capture_output=True, check=True).stdout.decode()

    def bakeline_60(self) -> None:
        """The assertions as a profile."""
        checks: list[dict[str, object]] = [
            {"file": path, "exists": True, "mode": mode.rjust(4, "0"), "owner": owner, "group": group}
            for path, (mode, owner, group) in self.stat.items()
        ]
        checks += [{"package": name, "installed": name in PRESENT} for name in PRESENT + ABSENT]
        checks += [{"service": name, "enabled": on} for name, on in self.enabled.items()]
        checks += [{"passwd": name, "exists": True} for name in ACCOUNTS]
        checks += [{"etc_group": name, "exists": True} for name in GROUPS]
        (self.catalog / "profiles/sixty.yaml").write_text(json.dumps({"checks": checks}))

    def testinfra_60(self) -> None:
        """The assertions as tests."""
        lines = [f"STAT = {self.stat!r}", f"ENABLED = {self.enabled!r}", "import pytest"]
        lines += [
            "@pytest.mark.parametrize('path', STAT)",
            "def test_exists(host, path): assert host.file(path).exists",
        ]
        for number, (name, value) in enumerate(
            (("mode", "int(STAT[path][0], 8)"), ("user", "STAT[path][1]"), ("group", "STAT[path][2]"))
        ):
            lines += ["@pytest.mark.parametrize('path', STAT)"]
            lines += [f"def test_file_{number}(host, path): assert host.file(path).{name} == {value}"]
        for kind, names, claim in (
            ("present", PRESENT, "host.package(name).is_installed"),
            ("absent", ABSENT, "not host.package(name).is_installed"),
            ("service", SERVICES, "host.service(name).is_enabled == ENABLED[name]"),
            ("account", ACCOUNTS, "host.user(name).exists"),
            ("group", GROUPS, "host.group(name).exists"),
        ):
            lines += [f"@pytest.mark.parametrize('name', {names!r})", f"def test_{kind}(host, name): assert {claim}"]
        (self.at / "test_sixty.py").write_text("\n".join(lines) + "\n")

    def goss_60(self) -> None:
        """Writes the assertions as a gossfile next to the program."""
        (self.at / "goss").mkdir()
        shutil.copy(goss(), self.at / "goss/goss")
        spec: dict[str, object] = {
            "file": {
                path: {"exists": True, "mode": mode.rjust(4, "0"), "owner": owner, "group": group}
                for path, (mode, owner, group) in self.stat.items()
            },
            "package": {name: {"installed": name in PRESENT} for name in PRESENT + ABSENT},
            "service": {name: {"enabled": on} for name, on in self.enabled.items()},
            "user": {name: {"exists": True} for name in ACCOUNTS},
            "group": {name: {"exists": True} for name in GROUPS},
        }
        (self.at / "goss/goss.yaml").write_text(json.dumps(spec))

    def timed(self, words: list[str], held: Callable[[str], bool]) -> float:
        """Seconds of one run, which must say that everything held."""
        begun = time.monotonic()
        ran = subprocess.run(words, cwd=self.catalog, env=self.env, capture_output=True, text=True, check=False)
        took = time.monotonic() - begun
        if not held(ran.stdout):
            sys.exit(f"{' '.join(words)}: exit {ran.returncode}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}")
        return took

    def bakeline(self, *profiles: str) -> list[str]:
        """The words that judge the machine by profiles."""
        words = [BAKELINE, "check", "ssh://target", "--ssh-config", str(self.config), "--phase", "boot"]
        return [*words, "--json", *(word for name in profiles for word in ("--profile", name))]

    def ways(self) -> dict[str, Callable[[], float]]:
        """Each tool, run once."""
        ours = self.bakeline("linux-baseline", "ssh-baseline")
        theirs = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hosts=ssh://target"]
        theirs += [f"--ssh-config={self.config}", *(["--sudo"] if self.sudo else []), str(self.at / "test_sixty.py")]
        login = ["ssh", "-F", str(self.config), "target"]
        unpack = f"cd $(mktemp -d /var/tmp/goss.XXXX) && tar x && {self.sudo}./goss -g goss.yaml validate"
        upload = f"tar c -C {self.at}/goss goss goss.yaml | {' '.join(login)} '{unpack}; rm -rf $PWD'"
        return {
            "a": lambda: self.timed([*login, "true"], lambda said: said == ""),
            "b": lambda: self.timed(ours, lambda said: len(controls(said)) >= 100),
            "b60": lambda: self.timed(self.bakeline("sixty"), lambda said: counted(said) == 60),
            "c": lambda: self.persisting(theirs),
            "d": lambda: self.timed(["sh", "-c", upload], lambda said: bool(re.search(r"Count: 60, Failed: 0", said))),
        }

    def persisting(self, words: list[str]) -> float:
        """testinfra with one connection, which it makes and we end."""
        path = f"{self.at}/control"
        shared = f"--ssh-extra-args=-o ControlPath={path}"
        took = self.timed([*words, shared], lambda said: "60 passed" in said)
        end = ["ssh", "-F", str(self.config), "-o", f"ControlPath={path}", "-O", "exit", "target"]
        subprocess.run(end, capture_output=True, check=False)
        return took

    def collector(self) -> tuple[float, float]:
        """CPU and wall seconds of the collector itself on the machine: its script, as it was sent, is sent once more."""
        catch, script = self.at / "catch", self.at / "script"
        catch.mkdir()
        real = shutil.which("ssh")
        (catch / "ssh").write_text(f'#!/bin/sh\ntee {script} | {real} "$@"\n')
        (catch / "ssh").chmod(0o755)
        env = {**self.env, "PATH": f"{catch}:{self.env['PATH']}"}
        words = self.bakeline("linux-baseline", "ssh-baseline")
        subprocess.run(words, cwd=self.catalog, env=env, capture_output=True, check=False)
        measure = self.sudo + "bash -c 'TIMEFORMAT=\"took %R %U %S\"; time sh -s >/dev/null' 2>&1"
        told = [self.ssh(measure, script.read_bytes()).split("took ")[-1].split() for _ in range(ROUNDS)]
        return tuple(statistics.median(values) for values in ([float(u) + float(s) for _, u, s in told], [float(r) for r, *_ in told]))  # type: ignore[return-value]  # fmt: skip

    def over_ssh(self) -> None:
        """Interleaves the tools, prints medians and ratios."""
        ways = self.ways()
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                times[name].append(way())
        t = {name: statistics.median(values) for name, values in times.items()}
        cpu, wall = self.collector()
        print(f"(a)  ssh true: {t['a'] * 1000:.0f} ms")
        print(
            f"(b)  linux-baseline and ssh-baseline: {t['b'] * 1000:.0f} ms; the collector's CPU there {cpu * 1000:.0f} ms, its time {wall * 1000:.0f} ms"
        )
        print(f"     less the collector's CPU {(t['b'] - cpu) / t['a']:.2f} x (a) (aim: at most 2)")
        print(f"(b') the 60 assertions: {t['b60'] * 1000:.0f} ms")
        print(f"(c)  testinfra, 60 assertions: {t['c'] * 1000:.0f} ms, {t['c'] / t['b60']:.1f} x (b') (aim: 20)")
        print(
            f"(d)  goss {GOSS}, 60 assertions, upload counted: {t['d'] * 1000:.0f} ms, {t['d'] / t['b60']:.2f} x (b'), {t['d'] / t['b']:.2f} x (b) (aim: more than 1)"
        )

    def recorded(self) -> None:
        """Judging many controls on recorded facts, with the memory of it; reading them alone is `validate` of the same files."""
        facts, paths = self.at / "facts.json", list(self.stat)
        words = [*self.bakeline("sixty"), "--save-facts", str(facts)]
        subprocess.run(words, cwd=self.catalog, env=self.env, capture_output=True, check=True)
        reading = self.at / "reading"
        (reading / "images").mkdir(parents=True)
        shutil.copy(self.catalog / "bakeline.yaml", reading)
        many = [f"many-{number}" for number in range(FILES_OF_CONTROLS)]
        rows = [f'- {{file: {paths[n % len(paths)]}, mode: {{at_most: "{n % 7}777"}}}}\n' for n in range(CONTROLS)]
        for number, name in enumerate(many):
            text = "checks:\n" + "".join(rows[number::FILES_OF_CONTROLS])
            (self.catalog / f"profiles/{name}.yaml").write_text(text)
        shutil.copytree(self.catalog / "profiles", reading / "profiles")
        image = {"source": {"owner": "self", "name": "any"}, "profiles": many}
        (reading / "images/many.yaml").write_text(json.dumps(image))
        judging = [
            BAKELINE,
            "check",
            "--facts",
            str(facts),
            "--json",
            *(w for name in many for w in ("--profile", name)),
        ]
        whole, parts = [], []
        for _ in range(ROUNDS):
            parts.append(measured([BAKELINE, "validate"], reading, self.env))
            whole.append(measured(judging, self.catalog, self.env, codes=(0, 3)))
            judged = len(controls(whole[-1].out.decode()))
            assert judged == CONTROLS, f"{judged} controls were judged"
        all_of_it, read = (statistics.median(used.seconds for used in runs) for runs in (whole, parts))
        peak = max(used.megabytes for used in whole)
        print(
            f"{CONTROLS} controls on recorded facts, read, judged and reported: {all_of_it * 1000:.0f} ms, {peak:.0f} MB (aim: {AIM_JUDGE_MB:.0f} MB); "
            f"read alone: {read * 1000:.0f} ms; so judged and reported: {(all_of_it - read) * 1000:.0f} ms (aim: {AIM_JUDGE_SECONDS * 1000:.0f} ms)"
        )


def controls(said: str) -> list[dict[str, list[dict[str, str]]]]:
    """Those of bakeline's report."""
    return [control for profile in json.loads(said)["profiles"] for control in profile["controls"]]


def counted(said: str) -> int:
    """How many expectations of bakeline's answer held."""
    results = [result for control in controls(said) for result in control["results"]]
    return sum(result["outcome"] == "passed" for result in results) if len(results) == 60 else 0


def goss() -> Path:
    """The program, built once from its source by the Go module proxy; its path's own module is the whole repository."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bakeline" / f"goss-{GOSS}"
    if not (cache / "goss").exists():
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "go.mod").write_text(f"module bench\n\ngo 1.24\n\nrequire github.com/goss-org/goss {GOSS}\n")
        words = [
            "go",
            "build",
            "-mod=mod",
            "-trimpath",
            "-ldflags=-s -w",
            "-o",
            "goss",
            "github.com/goss-org/goss/cmd/goss",
        ]
        subprocess.run(words, cwd=cache, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return cache / "goss"


if __name__ == "__main__":
    main()
