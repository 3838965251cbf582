"""`make demo` without CAP_SYS_ADMIN and CAP_NET_ADMIN, as on a shared CI runner where mounts and namespaces are forbidden."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import tags
from support.run import HANG, REPO, run
from support.sandbox import SHARED, Sandbox

REGION = "us-east-1"
DROP = ["capsh", "--drop=cap_sys_admin,cap_net_admin", "--"]
RUN_DEMO = os.environ.get("BAKELINE_DEMO") == "1" or os.environ.get("CI") == "true"

pytestmark = pytest.mark.skipif(
    not RUN_DEMO, reason="runs cargo and takes minutes: only with CI=true or BAKELINE_DEMO=1"
)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """Returns the demo's own sandbox after the demo."""
    sandbox = Sandbox(Path(f"{shared_sandbox.dir}-chroot"))
    if not (sandbox.dir / "cache").exists() and (SHARED / "cache").exists():
        sandbox.dir.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(SHARED / "cache"), str(sandbox.dir)], check=True)
    shared_sandbox.down()
    sandbox.command("down", want=None)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "BAKELINE"))}
    env |= {"YES": "1", "BAKELINE_SANDBOX_DIR": str(sandbox.dir)}
    try:
        run([*DROP, "-c", "make demo"], REPO, env, timeout=9 * HANG, want=0)
        sandbox.read()
        yield sandbox
    finally:
        sandbox.down()
        shared_sandbox.up()


def test_capabilities_are_dropped() -> None:
    """Proves the premise of these tests: a mount fails without the capabilities and succeeds with them."""
    mount = "mkdir -p /tmp/bakeline-caps && mount -t tmpfs none /tmp/bakeline-caps"
    assert subprocess.run([*DROP, "-c", mount], check=False, capture_output=True).returncode != 0
    assert subprocess.run(["sh", "-c", f"{mount} && umount /tmp/bakeline-caps"], check=False).returncode == 0


def test_demo_succeeds_on_chroots(sandbox: Sandbox) -> None:
    assert sandbox.status["backend"] == "chroot"
    amis = sandbox.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
    released = {tags(a)["bakeline:image"] for a in amis if tags(a)["bakeline:state"] == "released"}
    assert released == {"base-debian-12", "base-debian-13", "jdk", "nginx", "tomcat"}


def test_checks_needing_service_manager_are_skipped(sandbox: Sandbox) -> None:
    amis = sandbox.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
    run_id = next(tags(a)["bakeline:run"] for a in amis if tags(a)["bakeline:image"] == "nginx")
    report = json.loads((REPO / ".bakeline" / "runs" / run_id / "nginx" / "checks-boot.json").read_text())
    services = [v for v in report["verdicts"] if v["control"].startswith("service:")]
    assert services
    for verdict in services:
        running = next(r for r in verdict["results"] if r["property"] == "running")
        assert (verdict["outcome"], running["outcome"]) == ("skipped", "skipped")
        assert "no service manager" in running["message"]
