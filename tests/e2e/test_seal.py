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
# container, so that the second line does.
SETUP = """mkdir -p /etc/cloud/cloud.cfg.d; echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99-keep.cfg
head -c 512 /dev/urandom > /var/lib/systemd/random-seed
head -c 4096 /dev/urandom > /var/lib/systemd/credential.secret
mkdir -p /var/lib/dhcp /var/lib/chrony /var/lib/NetworkManager /var/lib/systemd/timers /etc/NetworkManager/system-connections
echo 'lease { }' > /var/lib/dhcp/dhclient.eth0.leases
echo '1.0 2.0' > /var/lib/chrony/drift
head -c 32 /dev/urandom > /var/lib/NetworkManager/secret_key
echo '[connection]' > /etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection
touch -d 2020-01-01 /var/lib/systemd/timers/stamp-bakeline.timer
echo 'Package: left' > /var/lib/apt/lists/left_Packages
echo left > /var/log/left.log
"""

# As image-hygiene.
EMPTY = {"empty": True}
CHECKS = [
    {"phase": ["boot"], "build_artifacts": "all", "packages": EMPTY},
    {"phase": ["boot"], "logs": "all", "stale": EMPTY, "journals": EMPTY},
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


IDENTITY = {
    "machine ID": (": > /etc/machine-id\n", "", "/etc/machine-id"),
    "host keys": ("rm -f /etc/ssh/ssh_host_*\n", "", "/etc/ssh/ssh_host_dsa_key.pub"),
    "random seed": (" /var/lib/systemd/random-seed", "", "/var/lib/systemd/random-seed"),
    "credential secret": (" /var/lib/systemd/credential.secret", "", "/var/lib/systemd/credential.secret"),
    "lease": (" /var/lib/dhcp/*.leases", "", "/var/lib/dhcp/dhclient.eth0.leases"),
    "clock drift": (" /var/lib/chrony/*", "", "/var/lib/chrony/drift"),
    "NetworkManager": (" /var/lib/NetworkManager/secret_key", "", "/var/lib/NetworkManager/secret_key"),
    "connection": (" /etc/NetworkManager/system-connections/cloud-init-*", "", "cloud-init-eth0.nmconnection"),
    "timer": ("rm -f /var/lib/systemd/timers/stamp-*\n", "", "/var/lib/systemd/timers/stamp-bakeline.timer"),
}

# Controls find these parts on the instance.
STATE = {
    "cloud-init": (
        "    cloud-init clean --logs >/dev/null 2>&1 || rm -rf",
        "    : rm -rf",
        "/var/lib/cloud/instances/",
    ),
    "package lists": ("rm -rf /var/lib/apt/lists/*", "rm -rf", "/var/lib/apt/lists/left_Packages"),
    "journal": ("rm -rf /var/log/journal/*\n", "", "/var/log/journal/"),
    "logs": ('find "$logs" -xdev -type f -exec truncate -s 0 {} +\n', "true\n", "/var/log/left.log"),
}
CASES = [*IDENTITY, *STATE]
SAMPLE = CASES if FULL else [CASES[(OFFSET + number * 5) % len(CASES)] for number in range(3)]


@pytest.mark.parametrize("case", SAMPLE)
def test_image_with_a_part_of_its_builder_is_not_released(sandbox: Sandbox, catalog: Catalog, case: str) -> None:
    """CI runs a sample, `make matrix` all cases."""
    part, instead, named = {**IDENTITY, **STATE}[case]
    leave_out(catalog, part, instead)
    before = list_cloud(sandbox)
    results = catalog.release(want=3)
    assert results["base"]["status"] == "failed", results
    if case in IDENTITY:
        assert f"{named} is that of the build instance" in results["base"]["failure"], results
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
