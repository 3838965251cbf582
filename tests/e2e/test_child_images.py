"""Child images of a hardened base: later packages keep its rules, and lost changes are reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.instance import running_instance
from support.sandbox import Sandbox

CRON_MODES = {
    "/etc/crontab": "600",
    **{f"/etc/cron.{name}": "700" for name in ("d", "daily", "hourly", "monthly", "weekly", "yearly")},
}
KEYS = """set -eu
useradd --create-home worker
install -d -o worker -m 0700 /home/worker/.ssh
install -o worker -m 0600 /home/admin/.ssh/authorized_keys /home/worker/.ssh/authorized_keys
"""


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("children"), "children", quick=False)
    made.image("base", source=VENDOR, profiles=["linux-baseline", "image-hygiene"])
    made.release()
    yield made


def test_cron_of_a_child_has_the_modes_of_the_baseline(sandbox: Sandbox, catalog: Catalog, tmp_path: Path) -> None:
    catalog.image("cron", parent="base", packages=["cron"])
    catalog.release("cron")
    with running_instance(sandbox, catalog.latest("cron"), tmp_path) as one:
        assert one.ssh("systemctl is-enabled cron") == "enabled\n"
        lines = one.ssh(f"sudo stat -c '%n %a' {' '.join(CRON_MODES)}").splitlines()
    assert dict(line.split() for line in lines) == CRON_MODES


def test_keys_of_other_accounts_are_reported(catalog: Catalog) -> None:
    catalog.file("scripts/keys.sh", KEYS)
    catalog.image("keys", parent="base", scripts=["scripts/keys.sh"])
    results = catalog.release("keys", want=3)
    assert results["keys"]["status"] == "failed", results
    assert all(word in catalog.last.err for word in ("account-keys", "worker", "disable")), catalog.last
