"""A base's control fails while a sibling is inside its provisioner: the line stops, Packer cleans up, Slack hears why."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import Watcher, cloud, difference
from support.run import HANG, run, until
from support.running_release import WAIT, WAITING, begin, go_on, packer_log
from support.sandbox import Sandbox

GOOD = [{"file": "/etc/base", "content": "right\n"}]


@pytest.fixture(scope="module")
def catalog(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Two base images; one gets a child."""
    made = Catalog(box, tmp_path_factory.mktemp("line"), "line")
    made.file("scripts/base.sh", "set -eu\necho right > /etc/base\n")
    made.file("scripts/side.sh", "set -eu\necho side > /etc/side\n")
    made.image("base", source=VENDOR, scripts=["scripts/base.sh"], checks=GOOD)
    made.image("side", source=VENDOR, scripts=["scripts/side.sh"])
    made.image("child", parent="base")
    yield made


def test_a_failing_control_stops_the_line_cleanly(box: Sandbox, catalog: Catalog) -> None:
    catalog.release()
    old = {image: catalog.latest(image) for image in ("base", "side", "child")}
    before, heard = cloud(box), len(box.slack())
    marker = "the sibling is inside its provisioner"
    catalog.file("scripts/side.sh", f"set -eu\necho {shlex.quote(marker)}\nsleep 6000\necho side2 > /etc/side\n")
    # The wrong edit: it waits, so that the failure comes while the sibling is in its provisioner.
    catalog.file("scripts/base.sh", f"set -eu\n{WAIT}echo wrong > /etc/base\n")
    with Watcher(box) as watcher:
        started, here = begin(catalog, "side", "--jobs", "2", says=marker)
        until(lambda: WAITING in packer_log(here, "base"), HANG, "the base's build")
        go_on(box, here, "base")
        assert started.wait(timeout=HANG) == 3
    said = (catalog.at / "out.log").read_text()
    assert "/etc/base" in said and "right" in said and "wrong" in said, said
    assert "Cleanly cancelled builds after being interrupted" in packer_log(here, "side"), packer_log(here, "side")[
        -2000:
    ]
    watcher.saw_everything()
    assert cloud(box) == before, difference(before, cloud(box))
    result = {one["image"]: one for one in json.loads((here / "result.json").read_text())["images"]}
    assert {name: one["status"] for name, one in result.items()} == {
        "base": "failed",
        "side": "cancelled",
        "child": "not started",
    }
    assert (
        result["child"]["kept"]
        == tags(next(a for a in catalog.images() if a["ImageId"] == old["child"]))["bakeline:version"]
    )
    assert {image: catalog.latest(image) for image in old} == old
    [message] = box.slack()[heard:]
    assert "/etc/base" in json.dumps(message), message


def test_continue_holds_back_only_the_descendants(box: Sandbox, catalog: Catalog) -> None:
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, "on_failure": "continue"}))
    catalog.file("scripts/base.sh", "set -eu\necho wrong > /etc/base\n")
    catalog.file("scripts/side.sh", "set -eu\nsleep 6\necho side3 > /etc/side\n")
    old = {image: catalog.latest(image) for image in ("base", "side", "child")}
    results = catalog.release("--jobs", "2", want=3)
    assert {name: one["status"] for name, one in results.items()} == {
        "base": "failed",
        "side": "released",
        "child": "not started",
    }
    new = {image: catalog.latest(image) for image in old}
    assert new["side"] != old["side"] and (new["base"], new["child"]) == (old["base"], old["child"])
    catalog.file("bakeline.yaml", json.dumps(settings))


@pytest.mark.parametrize("phase", ["build", "boot"])
def test_keep_failed_leaves_the_instance_and_says_how_to_get_in(box: Sandbox, catalog: Catalog, phase: str) -> None:
    wrong = [{"command": "cat /etc/base", "stdout": "better\n", "phase": [phase]}]
    catalog.file("scripts/base.sh", f"set -eu\necho {phase} > /etc/base\n")
    catalog.image("base", source=VENDOR, scripts=["scripts/base.sh"], checks=wrong)
    before = cloud(box)
    catalog.release("base", "--keep-failed", want=3)
    [line] = [line for line in catalog.last.err.splitlines() if "ssh -i" in line]
    words = shlex.split(line[line.index("ssh -i") :])
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    inside = run([*words, *options, "cat", "/etc/base"], catalog.at, box.env, timeout=HANG, want=0)
    assert inside.out == f"{phase}\n"
    timers = [*words, *options, "systemctl", "list-timers", "--no-pager"]
    if box.status["backend"] == "nspawn":
        # cloud-init sets it at the end of the boot, which the checks don't wait for.
        shown = lambda: "bakeline-deadline.timer" in run(timers, catalog.at, box.env, timeout=HANG).out
        until(shown, HANG, "the timer that ends the instance")
    ec2 = box.client("ec2")
    [kept] = [
        one
        for group in ec2.describe_instances(Filters=[{"Name": "tag:bakeline:run", "Values": [catalog.run.name]}])[
            "Reservations"
        ]
        for one in group["Instances"]
        if one["State"]["Name"] == "running"
    ]
    assert tags(kept)["bakeline:expires"] in catalog.last.err
    found = json.loads(catalog.bakeline("sweep", "--json", want=0).out)
    assert found and not [one for one in found if one["remove"]], found
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    things = [one["thing"]["id"] for one in found]
    for client_call in things:
        ec2.create_tags(Resources=[client_call], Tags=[{"Key": "bakeline:expires", "Value": past}])
    catalog.bakeline("sweep", "--apply", want=0)
    until(lambda: cloud(box) == before, HANG, f"the world as before, not {difference(before, cloud(box))}")


def test_no_process_of_a_stopped_line_is_left(box: Sandbox, catalog: Catalog) -> None:
    found = subprocess.run(["pgrep", "-f", str(catalog.at)], capture_output=True, text=True, check=False).stdout
    assert not found.strip(), found
