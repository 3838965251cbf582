"""Locks of apt and dpkg that other processes hold at the start of a build, and timers that take them during it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import SHIPPED, VENDOR, Catalog
from support.instance import running_instance
from support.inventory import describe_difference, list_cloud
from support.run import HANG, REPO, wait_until
from support.running_release import resume_build, start_release
from support.sandbox import Sandbox

PREPARE = "templates/provision/common/prepare.sh"
LIMIT = "apt_lock_seconds=600"
# Holds the locks from the first boot until the judge says so, and then releases one after the other.
HOLDER = """\
#!/usr/bin/python3
import fcntl, os, time
paths = ("/var/lib/apt/lists/lock", "/var/lib/dpkg/lock-frontend", "/var/cache/apt/archives/lock")
files = [open(path, "w") for path in paths]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
while not os.path.exists("/var/tmp/go"):
    time.sleep(0.2)
for file in files:
    with open("/var/lib/judge/released", "a") as told:
        told.write(f"{file.name}\\n")
    file.close()
    time.sleep(8)
"""
UNIT = "[Service]\nExecStart=/usr/local/bin/hold-locks\n[Install]\nWantedBy=multi-user.target\n"
# apt's own timer, every two seconds; its service leaves a line each time.
TIMER = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=100ms\nPersistent=false\n"
DAILY = "[Service]\nExecStartPre=\nExecStart=\nExecStart=/bin/sh -c 'date +%%s >> /var/lib/judge/daily'\n"
# On a first boot, apt-daily.service starts after cloud-init. The build waits for it before it stops the timer.
FIRST = "until test -e /var/lib/judge/daily; do sleep 0.2; done\n"
BUSY = "set -eu\nmkdir -p /var/lib/judge\nchmod 0755 /usr/local/bin/hold-locks\nsystemctl enable hold-locks.service\n"
LATE = """\
set -eu
cp /var/lib/judge/released /srv/released
cp /var/lib/judge/daily /srv/daily-early
sleep 7
cp /var/lib/judge/daily /srv/daily-late
systemctl disable hold-locks.service
"""
CONTROL = {"service": "apt-daily.timer", "enabled": True, "running": True}


@pytest.fixture(scope="module")
def busy(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Returns a catalog with a released parent whose instances hold the locks from their first boot."""
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("no service manager runs in a chroot, so nothing holds locks from the first boot on")
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("locks"), "locks")
    unit = "/etc/systemd/system/apt-daily"
    contents = {
        "/usr/local/bin/hold-locks": HOLDER,
        "/etc/systemd/system/hold-locks.service": UNIT,
        f"{unit}.timer.d/often.conf": TIMER,
        f"{unit}.service.d/tell.conf": DAILY,
    }
    for destination, text in contents.items():
        catalog.file(f"files{destination}", text)
    files = [{"source": f"files{destination}", "destination": destination} for destination in contents]
    catalog.file("scripts/busy.sh", BUSY)
    catalog.image("busy", source=VENDOR, files=files, scripts=["scripts/busy.sh"])
    catalog.release("busy")
    # From here on with package lists and updates, as users have it.
    catalog.file(PREPARE, FIRST + SHIPPED)
    catalog.file("scripts/late.sh", LATE)
    catalog.image("patient", parent="busy", packages=["ed"], scripts=["scripts/late.sh"], checks=[CONTROL])
    yield catalog


def test_a_build_waits_for_each_lock(busy: Catalog, sandbox: Sandbox, tmp_path: Path) -> None:
    started, run = start_release(busy, "patient", "patient", says="Provisioning with shell script")
    try:
        # The locks are held all this time.
        time.sleep(20)
        assert started.poll() is None, (busy.at / "out.log").read_text()
        resume_build(sandbox, run, "patient")
        code = started.wait(timeout=HANG)
    finally:
        started.kill()
    assert code == 0, (busy.at / "out.log").read_text()
    with running_instance(sandbox, busy.latest("patient"), tmp_path) as one:
        assert one.ssh("dpkg-query -W -f '${db:Status-Status}' ed") == "installed"
        assert one.ssh("cat /srv/released").count("/lock") == 3, "not all locks were held"
        early, late = one.ssh("cat /srv/daily-early"), one.ssh("cat /srv/daily-late")
        assert early, "apt-daily did not run before the build, so nothing had to be stopped"
        assert late == early, "apt-daily ran during the build"
        wait_until(lambda: one.ssh("cat /var/lib/judge/daily") != late, HANG, "apt-daily in an instance", every=1)
        shown = one.ssh("systemctl show -p DropInPaths,LoadState apt-daily.service apt-daily-upgrade.service")
        assert "bakeline" not in shown and shown.count("LoadState=loaded") == 2, shown


def test_held_apt_lock_ends_build_and_names_holder(busy: Catalog, sandbox: Sandbox) -> None:
    apt = (REPO / "templates/provision/debian/apt.sh").read_text()
    assert LIMIT in apt
    busy.file("templates/provision/debian/apt.sh", apt.replace(LIMIT, "apt_lock_seconds=5"))
    busy.image("stuck", parent="busy", packages=["ed"])
    before = list_cloud(sandbox)
    busy.release("stuck", want=4)
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    said = busy.last.err
    assert "/var/lib/apt/lists/lock" in said and "(hold-locks)" in said and "5 s" in said, said
