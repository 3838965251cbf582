"""An image that carries a part of its builder's identity is not released. Each case leaves one line of seal.sh out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.instance import running_instance
from support.inventory import describe_difference, list_cloud
from support.run import REPO
from support.sandbox import Sandbox

SEAL = (REPO / "templates/provision/common/seal.sh").read_text()
# Without the first line, cloud-init deletes the builder's host keys at the first boot. systemd saves no random seed in a
# container, so that the second line does.
SETUP = """mkdir -p /etc/cloud/cloud.cfg.d; echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99-keep.cfg
head -c 512 /dev/urandom > /var/lib/systemd/random-seed
"""


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("seal"), "seal")
    made.file("scripts/setup.sh", SETUP)
    made.image("base", source=VENDOR, scripts=["scripts/setup.sh"])
    yield made


def leave_out(catalog: Catalog, part: str, instead: str) -> None:
    assert SEAL.count(part) == 1, f"seal.sh has changed: {part}"
    catalog.file("templates/provision/common/seal.sh", SEAL.replace(part, instead))


CASES = {
    "machine ID": (": > /etc/machine-id\n", "", "/etc/machine-id"),
    "host keys": ("rm -f /etc/ssh/ssh_host_*\n", "", "/etc/ssh/ssh_host_dsa_key.pub"),
    "random seed": (" /var/lib/systemd/random-seed", "", "/var/lib/systemd/random-seed"),
}


@pytest.mark.parametrize("case", CASES)
def test_image_with_a_part_of_its_builder_is_not_released(sandbox: Sandbox, catalog: Catalog, case: str) -> None:
    part, instead, named = CASES[case]
    leave_out(catalog, part, instead)
    before = list_cloud(sandbox)
    results = catalog.release(want=3)
    assert (
        results["base"]["status"] == "failed"
        and f"{named} has the same content as on the build instance" in results["base"]["failure"]
    ), results
    assert named in catalog.last.err and "not sealed" in catalog.last.err, catalog.last
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
