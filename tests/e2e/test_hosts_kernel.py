"""Kernel settings of the host do not affect verdicts about a root that shares the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checking import Checker
from support.debian_root import Server, cached_root, server, writable_root
from support.run import REPO

NETWORK = {
    "net.ipv4.ip_forward": ("0", "1"),
    "net.ipv4.conf.all.rp_filter": ("1", "0"),
    "net.ipv4.tcp_syncookies": ("1", "0"),
    "net.ipv4.conf.all.accept_redirects": ("0", "1"),
    "net.ipv4.conf.default.log_martians": ("1", "0"),
}
# Those of the whole machine are not set: another file is mounted over what shows them, in the server's own mounts.
SHOWN = {"kernel/randomize_va_space": ("2", "0"), "fs/suid_dumpable": ("0", "1"), "fs/protected_symlinks": ("1", "0")}


def set_kernel_values(on: Server, which: int) -> None:
    """Sets all of them to the hardened values or the opposite."""
    for name, values in NETWORK.items():
        on.sh(f"sysctl -q -w {name}={values[which]}")
    for name, values in SHOWN.items():
        at = f"/opt/{name.replace('/', '.')}-{which}"
        on.sh(f"echo {values[which]} > {at}; mount --bind {at} /proc/sys/{name}")
        assert on.ssh(f"cat /proc/sys/{name}").stdout.strip() == values[which]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with writable_root(cached_root()) as made:
        yield made


@pytest.fixture
def judged(tmp_path: Path) -> Checker:
    profiles = REPO / "profiles"
    names = [name for name in ("linux-baseline", "ssh-baseline") if (profiles / f"{name}.yaml").exists()]
    made = Checker(tmp_path / "catalog", [], *names)
    for name in names:
        (made.at / f"profiles/{name}.yaml").write_text((profiles / f"{name}.yaml").read_text())
    return made


@pytest.mark.parametrize("own", [False, True], ids=["the-hosts", "its-own"])
def test_kernel_settings_count_only_with_own_kernel(own: bool, root: Path, judged: Checker, tmp_path: Path) -> None:
    with server(root, tmp_path / "server", own_kernel=own, own_network=True) as target:
        answers = []
        for which in (0, 1):
            set_kernel_values(target, which)
            answers.append(judged.judge(target))
    strict, loose = answers
    changed = {name for name, verdict in strict.verdicts.items() if verdict != loose.verdicts[name]}
    if own:
        assert len(changed) >= 5, "the settings could be seen"
        worse = {name for name in changed if loose.outcome(name) == "failed"}
        assert worse, "and they decide"
    else:
        assert not changed, {name: (strict.verdicts[name], loose.verdicts[name]) for name in changed}
