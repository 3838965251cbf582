"""`make demo` where mounts and namespaces are forbidden: without CAP_SYS_ADMIN and CAP_NET_ADMIN, as on a shared CI runner."""

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
MAKE = os.environ.get("BAKELINE_DEMO") == "1" or os.environ.get("CI") == "true"

pytestmark = pytest.mark.skipif(not MAKE, reason="runs cargo and takes minutes: only with CI=true or BAKELINE_DEMO=1")


@pytest.fixture(scope="module")
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The demo's own sandbox after the demo."""
    box = Sandbox(Path(f"{sandbox.dir}-chroot"))
    if not (box.dir / "cache").exists() and (SHARED / "cache").exists():
        box.dir.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(SHARED / "cache"), str(box.dir)], check=True)
    sandbox.down()
    box.command("down", want=None)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "BAKELINE"))}
    env |= {"YES": "1", "BAKELINE_SANDBOX_DIR": str(box.dir)}
    try:
        run([*DROP, "-c", "make demo"], REPO, env, timeout=9 * HANG, want=0)
        box.read()
        yield box
    finally:
        box.down()
        sandbox.up()


def test_the_caps_are_really_gone() -> None:
    """What makes this test mean something: a mount is refused there, and allowed here."""
    mount = "mkdir -p /tmp/bakeline-caps && mount -t tmpfs none /tmp/bakeline-caps"
    assert subprocess.run([*DROP, "-c", mount], check=False, capture_output=True).returncode != 0
    assert subprocess.run(["sh", "-c", f"{mount} && umount /tmp/bakeline-caps"], check=False).returncode == 0


def test_it_ends_well_on_chroots(box: Sandbox) -> None:
    assert box.status["backend"] == "chroot"
    amis = box.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
    released = {tags(a)["bakeline:image"] for a in amis if tags(a)["bakeline:state"] == "released"}
    assert released == {"base-debian-12", "base-debian-13", "jdk", "nginx", "tomcat"}


def test_what_needs_a_service_manager_is_skipped_never_passed(box: Sandbox) -> None:
    amis = box.client("ec2", REGION).describe_images(Owners=["self"])["Images"]
    run_id = next(tags(a)["bakeline:run"] for a in amis if tags(a)["bakeline:image"] == "nginx")
    report = json.loads((REPO / ".bakeline" / "runs" / run_id / "nginx" / "checks-boot.json").read_text())
    services = [v for v in report["verdicts"] if v["control"].startswith("service:")]
    assert services
    for verdict in services:
        running = next(r for r in verdict["results"] if r["property"] == "running")
        assert (verdict["outcome"], running["outcome"]) == ("skipped", "skipped")
        assert "no service manager" in running["message"]
