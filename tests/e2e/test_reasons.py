"""Why something is built, judged through the command line: what moved is named, what means nothing plans nothing, a new
control boots what there is instead of building, and a reviewed plan is executed exactly or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.inventory import list_cloud
from support.run import BAKELINE, run
from support.sandbox import Sandbox

IMAGES = ("ground", "middle", "roof", "side")


def write_images(catalog: Catalog, mark: str = "1", checks: list[dict[str, Any]] | None = None) -> None:
    """ground <- middle <- roof and ground <- side, each with a script of its own."""
    for image in IMAGES:
        catalog.file(f"scripts/{image}.sh", f"#!/bin/sh\necho {mark if image == 'middle' else 1} >/etc/{image}-mark\n")
    catalog.image("ground", source=VENDOR, scripts=["scripts/ground.sh"], checks=checks or [])
    for image, parent in (("middle", "ground"), ("roof", "middle"), ("side", "ground")):
        catalog.image(image, parent=parent, scripts=[f"scripts/{image}.sh"])


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    made = Catalog(sandbox, tmp_path_factory.mktemp("reasons"), "reasons")
    write_images(made)
    none = made.bakeline("why", "middle", want=6)
    assert not none.out and "no version of `middle` is released" in none.err, none
    made.release("--jobs", "2")
    yield made


def plan(catalog: Catalog, *words: str, env: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    done = catalog.bakeline("plan", "--format", "json", *words, env=env, want=0)
    return {d["image"]: d for d in json.loads(done.out)["decisions"]}


def verdicts(decided: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {image: d["verdict"] for image, d in decided.items()}


KEEP = dict.fromkeys(IMAGES, "keep")


def test_unchanged_inputs_plan_nothing(catalog: Catalog, tmp_path: Path) -> None:
    assert verdicts(plan(catalog)) == KEEP
    odd = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "C", "HOME": "/nonexistent", "USER": "other"}
    assert verdicts(plan(catalog, env=odd)) == KEEP
    # Another folder, reached through a link, at another time than the files were made.
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(catalog.at, other, ignore=shutil.ignore_patterns(".bakeline"))
    for path in other.rglob("*"):
        os.utime(path, (0, 0))
    link = tmp_path / "link"
    link.symlink_to(other)
    assert verdicts(plan(catalog, "-C", str(link))) == KEEP
    # Another user, who may only read: pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        shutil.copytree(other, Path(place) / "catalog")
        os.chmod(Path(place) / "catalog", 0o755)
        program = shutil.copy(BAKELINE, Path(place) / "bakeline")
        words = [program, "-C", f"{place}/catalog", "plan", "--json"]
        done = subprocess.run(
            words, cwd="/", env=catalog.env, user=65534, group=65534, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done
        assert {d["image"]: d["verdict"] for d in json.loads(done.stdout)["decisions"]} == KEEP


def test_other_bakeline_version_plans_nothing(catalog: Catalog, tmp_path: Path) -> None:
    """The same program that calls itself another version, wherever it says so."""
    told = catalog.bakeline("--version", want=0).out.split()[1]
    other = "9" + told[1:]
    program = tmp_path / "bakeline"
    program.write_bytes(Path(BAKELINE).read_bytes().replace(told.encode(), other.encode()))
    program.chmod(0o755)
    assert run([str(program), "--version"], catalog.at, catalog.env, want=0).out.split()[1] == other
    done = run([str(program), "plan", "--format", "json"], catalog.at, catalog.env, want=0)
    assert {d["image"]: d["verdict"] for d in json.loads(done.out)["decisions"]} == KEEP


def test_changed_script_plans_image_and_descendants(catalog: Catalog) -> None:
    write_images(catalog, mark="2")
    try:
        decided = plan(catalog)
        assert verdicts(decided) == {"ground": "keep", "side": "keep", "middle": "build", "roof": "build"}
        assert decided["middle"]["reasons"] == ["script scripts/middle.sh changed"]
        assert decided["roof"]["reasons"][0].startswith("parent `middle` is rebuilt")
        assert (
            decided["middle"]["base"].startswith("ground ")
            and decided["middle"]["base_because"] == "the recipe changed"
        )
        markdown = catalog.bakeline("plan", "--format", "markdown", want=0).out
        assert "| middle | build |" in markdown and "wave 2: roof" in markdown, markdown
        why = json.loads(catalog.bakeline("why", "middle", "--json", want=0).out)
        moved = {one["input"] for one in why["inputs"] if one["moved"]}
        assert moved == {"script scripts/middle.sh"} and why["manifest"], why
        assert {one["input"]: one["moved"] for one in why["digests"]} == {
            "recipe": True,
            "checks": False,
            "parent": False,
        }
        assert "script scripts/middle.sh" in catalog.bakeline("why", "middle", want=0).words
    finally:
        write_images(catalog)
    assert verdicts(plan(catalog)) == KEEP


def test_reason_names_missing_manifest(catalog: Catalog) -> None:
    store = catalog.at / ".bakeline/store"
    assert list(store.rglob("recipe.json")), "there was a manifest to miss"
    store.rename(store.with_name("away"))
    try:
        write_images(catalog, mark="2")
        reasons = plan(catalog)["middle"]["reasons"]
        assert len(reasons) == 1 and reasons[0].startswith("recipe changed since ") and "not in the store" in reasons[0]
    finally:
        write_images(catalog)
        shutil.rmtree(store, ignore_errors=True)
        store.with_name("away").rename(store)


def test_since_compares_with_git(catalog: Catalog) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=judge", "-c", "user.email=judge@example.com"]
        subprocess.run(["git", *identity, *words], cwd=catalog.at, check=True, capture_output=True)

    git("init", "-q")
    catalog.file(".gitignore", ".bakeline/\n*.log\n")
    git("add", "-A")
    git("commit", "-qm", "all")
    try:
        none = catalog.bakeline("plan", "--since", "HEAD", want=0)
        assert "no image differs from `HEAD`" in none.err, none
        write_images(catalog, mark="2")
        assert set(plan(catalog, "--since", "HEAD")) == {"middle", "roof"}
        git("commit", "-qam", "edit")
        assert set(plan(catalog, "--since", "HEAD~1")) == {"middle", "roof"}
        assert set(plan(catalog, "roof", "--since", "HEAD~1")) == {"roof"}
        bad = catalog.bakeline("plan", "--since", "nowhere", want=1)
        assert "nowhere" in bad.err and not bad.out, bad
    finally:
        write_images(catalog)
        shutil.rmtree(catalog.at / ".git")


def test_new_control_rechecks_current_version(catalog: Catalog, sandbox: Sandbox) -> None:
    before = {image: catalog.latest(image) for image in IMAGES}
    old = {ami["ImageId"]: tags(ami) for ami in catalog.images()}
    write_images(catalog, checks=[{"file": "/etc/ground-mark"}])
    decided = plan(catalog)
    assert verdicts(decided) == dict.fromkeys(IMAGES, "recheck")
    assert all(d["reasons"] == ["control `file:/etc/ground-mark` added"] for d in decided.values()), decided
    rest = {kind: things for kind, things in list_cloud(sandbox).items() if kind != "images"}
    mark = sandbox.mark()
    done = catalog.release()
    assert {image: one["status"] for image, one in done.items()} == dict.fromkeys(IMAGES, "rechecked")
    calls = sandbox.changes(mark)
    assert calls.count("RunInstances") == len(IMAGES) and "CreateImage" not in calls, calls
    assert {image: catalog.latest(image) for image in IMAGES} == before
    for ami in catalog.images():
        now, then = tags(ami), old[ami["ImageId"]]
        assert now["bakeline:checks"] != then["bakeline:checks"] and now["bakeline:checked"], ami
        same = {k: v for k, v in now.items() if k not in ("bakeline:checks", "bakeline:checked")}
        assert same == {k: v for k, v in then.items() if k != "bakeline:checks"}, ami
    assert {kind: things for kind, things in list_cloud(sandbox).items() if kind != "images"} == rest
    assert verdicts(plan(catalog)) == KEEP


def test_failing_recheck_leaves_version_current(catalog: Catalog) -> None:
    before = {ami["ImageId"]: tags(ami) for ami in catalog.images()}
    catalog.image("side", parent="ground", scripts=["scripts/side.sh"], checks=[{"file": "/etc/not-there"}])
    try:
        assert verdicts(plan(catalog)) == {**KEEP, "side": "recheck"}
        done = catalog.release(want=3)
        assert done["side"]["status"] == "failed" and "/etc/not-there" in done["side"]["failure"], done
        assert "stays current" in catalog.last.err and "bakeline revoke side" in catalog.last.err, catalog.last
        assert {ami["ImageId"]: tags(ami) for ami in catalog.images()} == before
        assert verdicts(plan(catalog))["side"] == "recheck", "it is tried again"
    finally:
        write_images(catalog, checks=[{"file": "/etc/ground-mark"}])


def test_probe_only_records_a_dated_fact(catalog: Catalog, sandbox: Sandbox) -> None:
    before = list_cloud(sandbox)
    done = catalog.bakeline("probe", "side", "--json", want=0)
    assert list_cloud(sandbox) == before
    (probe,) = json.loads(done.out)
    assert probe["image"] == "side" and probe["ami"] == catalog.latest("side") and probe["at"], probe
    (kept,) = (catalog.at / ".bakeline/store").rglob("side/*/probe.json")
    assert json.loads(kept.read_text()) == probe
    # The result decides: with a security update, the image is built on its last good version.
    update = {
        "package": "openssl",
        "current": "1",
        "candidate": "2",
        "origin": "Debian-Security:12/x",
        "security": True,
    }
    fact = {**probe, "since": "2026-01-02T03:04:05Z", "pending": [*probe["pending"], update]}
    kept.write_text(json.dumps(fact))
    decided = plan(catalog)
    assert decided["side"]["verdict"] == "build" and "last good build" in decided["side"]["base"], decided
    assert "pending since 2026-01-02" in decided["side"]["reasons"][0] and "openssl" in decided["side"]["reasons"][0]
    kept.unlink()
    assert verdicts(plan(catalog)) == KEEP


def test_newer_vendor_ami_and_reviewed_plan(catalog: Catalog, sandbox: Sandbox) -> None:
    ec2 = sandbox.client("ec2")
    known = {one["ImageId"] for one in ec2.describe_images(Owners=[VENDOR["owner"]])["Images"]}
    sandbox.command("publish", "debian-12")
    (new,) = (one for one in ec2.describe_images(Owners=[VENDOR["owner"]])["Images"] if one["ImageId"] not in known)
    decided = plan(catalog)
    assert verdicts(decided) == dict.fromkeys(IMAGES, "build")
    reason = decided["ground"]["reasons"][0]
    assert reason.startswith("source is newer: ") and new["ImageId"] in reason and new["Name"] in reason, reason
    assert new["ImageId"] in decided["ground"]["base"]

    saved = catalog.at / "plan.json"
    catalog.bakeline("plan", "ground", "--save", str(saved), want=0)
    reviewed = json.loads(saved.read_text())
    for change, code, words in (
        ({"catalog": "another"}, 1, "the plan is for catalog `another`"),
        ({"schema": 99}, 1, "the newest supported is"),
        ({"plan": 1}, 1, "not a saved plan"),
    ):
        bad = catalog.file("bad.json", json.dumps({**reviewed, **change}))
        refused = catalog.bakeline("release", "--plan", str(bad), want=code)
        assert words in refused.err and not refused.out, refused
    catalog.file("scripts/ground.sh", "#!/bin/sh\ntrue\n")
    before = catalog.images()
    refused = catalog.bakeline("release", "--plan", str(saved), want=7)
    assert "ground: script scripts/ground.sh changed" in refused.err and catalog.images() == before, refused
    write_images(catalog, checks=[{"file": "/etc/ground-mark"}])

    done = catalog.release("--plan", str(saved))
    version = reviewed["plan"]["decisions"][0]["version"]
    assert set(done) == {"ground"} and done["ground"]["status"] == "released", done
    assert done["ground"]["version"] == version
    again = catalog.bakeline("release", "--plan", str(saved), want=7)
    assert "ground: AMI " in again.err, again
    # The children are behind now, and say by what.
    decided = plan(catalog)
    assert decided["middle"]["reasons"][0].startswith(f"parent `ground` is newer: {version} after "), decided
    assert decided["ground"]["verdict"] == "keep"
