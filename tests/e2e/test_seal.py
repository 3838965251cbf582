"""An image that carries a part of its builder's identity is not released. Each case leaves one line of seal.sh out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.fault_cells import FULL, OFFSET
from support.instance import running_instance
from support.inventory import describe_difference, list_cloud
from support.run import REPO
from support.sandbox import Sandbox

SEAL = (REPO / "templates/provision/common/seal.sh").read_text()
# Without the first line, cloud-init deletes the builder's host keys at the first boot. systemd saves no random seed in a
# container, so that this script writes one. The services write a file when they stop, at the shutdown at the latest, and
# `held` has opened its log before.
SETUP = """mkdir -p /etc/cloud/cloud.cfg.d; echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99-keep.cfg
head -c 512 /dev/urandom > /var/lib/systemd/random-seed
head -c 4096 /dev/urandom > /var/lib/systemd/credential.secret
mkdir -p /var/lib/dhcp /var/lib/dhclient /var/lib/chrony /var/lib/NetworkManager /var/lib/systemd/timers
mkdir -p /etc/NetworkManager/system-connections /etc/pki/consumer /var/cache/dnf /var/cache/yum /var/cache/libdnf5
echo 'lease { }' | tee /var/lib/dhcp/dhclient.eth0.leases > /var/lib/dhclient/dhclient.lease
echo '1.0 2.0' > /var/lib/chrony/tempcomp
head -c 32 /dev/urandom > /var/lib/NetworkManager/secret_key
for name in internal-eth0.lease timestamps seen-bssids; do echo 1 > /var/lib/NetworkManager/$name; done
echo '[connection]' > /etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection
echo certificate > /etc/pki/consumer/cert.pem
echo 'rm -rf /etc/pki/consumer' > /usr/local/bin/subscription-manager
chmod +x /usr/local/bin/subscription-manager
touch -d 2020-01-01 /var/lib/systemd/timers/stamp-bakeline.timer
echo 'Package: left' > /var/lib/apt/lists/left_Packages
for name in apt/left.bin dnf/left yum/left libdnf5/left; do echo left > /var/cache/$name; done
echo left > /var/log/left.log
for log in cloud-init.log cloud-init-output.log; do echo left >> /var/log/$log; chmod 0644 /var/log/$log; done
write_at_stop() {
  printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\nExecStop=/bin/sh -c "%s"\\n' "$2" \\
    > "/etc/systemd/system/$1.service"
}
write_at_stop stopped 'echo stopped >> /var/log/stopped.log'
write_at_stop chrony 'mkdir -p /var/lib/chrony; echo 1 > /var/lib/chrony/drift'
cat > /etc/systemd/system/held.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'trap "echo ended; exit" TERM; echo started; while :; do sleep 1; done'
StandardOutput=append:/var/log/held.log
UNIT
if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl start stopped chrony held; fi
"""

# As image-hygiene.
EMPTY = {"empty": True}
CHECKS = [
    {"phase": ["boot"], "build_artifacts": "all", "packages": EMPTY},
    {"phase": ["boot"], "logs": "all", "stale": EMPTY, "journals": EMPTY, "unsafe": EMPTY},
    {"phase": ["boot"], "cloud_init": "this", "earlier": EMPTY},
]


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("seal"), "seal")
    made.file("scripts/setup.sh", SETUP)
    made.image("base", source=VENDOR, scripts=["scripts/setup.sh"], checks=CHECKS)
    yield made


def leave_out(catalog: Catalog, part: str, instead: str) -> None:
    assert SEAL.count(part) == 1, f"seal.sh has changed: {part}"
    catalog.file("templates/provision/common/seal.sh", SEAL.replace(part, instead))


# The same content on both machines.
IDENTITY = {
    "machine ID": (": > /etc/machine-id\n", "", "/etc/machine-id"),
    "host keys": ("rm -f /etc/ssh/ssh_host_*\n", "", "/etc/ssh/ssh_host_dsa_key.pub"),
    "sudoers": ("rm -f /etc/sudoers.d/90-cloud-init-users\n", "", "/etc/sudoers.d/90-cloud-init-users"),
    "random seed": (" /var/lib/systemd/random-seed", "", "/var/lib/systemd/random-seed"),
    "credential secret": (" /var/lib/systemd/credential.secret", "", "/var/lib/systemd/credential.secret"),
    "NetworkManager": (" /var/lib/NetworkManager/secret_key", "", "/var/lib/NetworkManager/secret_key"),
    "subscription": ("subscription-manager clean >/dev/null 2>&1", "true", "/etc/pki/consumer/cert.pem"),
}

# Files that are older than the boot.
STATE = {
    "dhcp": (" /var/lib/dhcp/*.leases", "", "/var/lib/dhcp/dhclient.eth0.leases"),
    "dhclient": (" /var/lib/dhclient/*.lease*", "", "/var/lib/dhclient/dhclient.lease"),
    "chrony": (" /var/lib/chrony/*", "", "/var/lib/chrony/tempcomp"),
    "clock drift": (
        'for unit in chrony.service chronyd.service; do systemctl stop "$unit" 2>/dev/null || true; done',
        "true",
        "/var/lib/chrony/drift",
    ),
    "lease": (" /var/lib/NetworkManager/*.lease", "", "/var/lib/NetworkManager/internal-eth0.lease"),
    "timestamps": (" /var/lib/NetworkManager/timestamps", "", "/var/lib/NetworkManager/timestamps"),
    "networks": (" /var/lib/NetworkManager/seen-bssids", "", "/var/lib/NetworkManager/seen-bssids"),
    "connection": (" /etc/NetworkManager/system-connections/cloud-init-*", "", "cloud-init-eth0.nmconnection"),
    "timer": ("rm -f /var/lib/systemd/timers/stamp-*\n", "", "/var/lib/systemd/timers/stamp-bakeline.timer"),
}

# Controls find these parts on the instance.
CONTROLS = {
    "cloud-init": (
        "    cloud-init clean --logs >/dev/null 2>&1 || rm -rf",
        "    : rm -rf",
        "/var/lib/cloud/instances/",
    ),
    "package lists": (" /var/lib/apt/lists/*", "", "/var/lib/apt/lists/left_Packages"),
    "apt": (" /var/cache/apt/*.bin", "", "/var/cache/apt/left.bin"),
    "dnf": (" /var/cache/dnf/*", "", "/var/cache/dnf/left"),
    "yum": (" /var/cache/yum/*", "", "/var/cache/yum/left"),
    "dnf 5": (" /var/cache/libdnf5/*", "", "/var/cache/libdnf5/left"),
    "journal": ("rm -rf /var/log/journal/*\n", "", "/var/log/journal/"),
    "mode of logs": (
        "for log in /var/log/cloud-init.log /var/log/cloud-init-output.log; do",
        "for log in; do",
        "/var/log/cloud-init",
    ),
    "logs": ('    find "$logs" -xdev -type f -exec truncate -s 0 {} +\n', "", "/var/log/left.log"),
    "hidden logs": ("    mount -t tmpfs -o mode=0755 tmpfs /var/log\n", "", "/var/log/stopped.log"),
    "open logs": (
        'timeout 60 systemctl stop "$unit" </dev/null || systemctl kill "$unit" || true',
        "true",
        "/var/log/held.log",
    ),
}
# Other lines have no case. Without the mounts of /var/log, the build itself fails. systemd saves no random seed in a container.
# The journal also stays out of the image without `--relinquish-var`, because its files are deleted and its directory is hidden.
ALL = {**IDENTITY, **STATE, **CONTROLS}
CASES = list(ALL)
SAMPLE = CASES if FULL else [CASES[(OFFSET + number * 5) % len(CASES)] for number in range(3)]


@pytest.mark.parametrize("case", SAMPLE)
def test_image_with_a_part_of_its_builder_is_not_released(sandbox: Sandbox, catalog: Catalog, case: str) -> None:
    """CI runs a sample, `make matrix` all cases."""
    if case not in IDENTITY and sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot has no boot time")
    part, instead, named = ALL[case]
    leave_out(catalog, part, instead)
    before = list_cloud(sandbox)
    results = catalog.release(want=3)
    assert results["base"]["status"] == "failed", results
    if case not in CONTROLS:
        why = "is that of the build instance" if case in IDENTITY else "is older than this boot"
        assert f"{named} {why}" in results["base"]["failure"], results
        assert "not sealed" in catalog.last.err, catalog.last
    assert named in catalog.last.err, catalog.last
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert catalog.bakeline("latest", "base", "--env", "Test").code == 6


def test_sealed_image_is_released(catalog: Catalog) -> None:
    (catalog.at / "templates/provision/common/seal.sh").unlink()
    catalog.release()
    build, boot = (
        json.loads(facts(catalog, phase).read_text())["facts"]["readings"]["seal"] for phase in ("build", "boot")
    )
    assert build[""] and boot[""], "both phases have digests to compare"


def facts(catalog: Catalog, phase: str) -> Path:
    return catalog.run / "base" / f"facts-{phase}.json"


# The first service writes a new log when it stops. The second one has opened its log before.
LOGGERS = """set -eu
cat > /etc/systemd/system/stopped.service <<'UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'echo stopped >> /var/log/stopped.log'
UNIT
cat > /etc/systemd/system/held.service <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'trap "echo ended; exit" TERM; echo started; while :; do sleep 1; done'
StandardOutput=append:/var/log/held.log
UNIT
systemctl start stopped held
"""


def test_logs_of_the_shutdown_are_not_in_the_image(sandbox: Sandbox, tmp_path: Path) -> None:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot has no services")
    catalog = Catalog(sandbox, tmp_path / "logs", "logs")
    catalog.file("scripts/loggers.sh", LOGGERS)
    catalog.image("app", source=VENDOR, scripts=["scripts/loggers.sh"])
    catalog.release()
    with running_instance(sandbox, catalog.latest("app"), tmp_path) as app:
        assert app.ssh("systemctl is-active stopped held || true") == "inactive\ninactive\n"
        assert app.ssh("cat /etc/systemd/system/held.service | wc -l") == "3\n", "the image lacks the service"
        assert app.ssh("sudo find /var/log -name held.log -size 0") == "/var/log/held.log\n"
        assert app.ssh("sudo find /var/log -name stopped.log -size +0") == ""
