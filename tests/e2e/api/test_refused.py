"""`promote` refuses a version and changes nothing if a condition is not met. Each test then meets the condition and promotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.inventory import list_cloud
from support.run import CompletedRun
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

VERSION = "20260120.1"


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    """Yields a catalog with a base and its child, without AMIs."""
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "refused", "refused")
    catalog.image("base", source=VENDOR)
    catalog.image("web", parent="base")
    yield SeededAmis(sandbox, catalog)


def add(seeded: SeededAmis, image: str, parent: str = "") -> str:
    layered = {"bakeline:parent": f"{parent}@{VERSION}"} if parent else {}
    return seeded.add(image, 20, {"bakeline:current": HERE, **layered})


def add_tag(seeded: SeededAmis, ami: str, key: str, value: str) -> None:
    seeded.sandbox.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value}])


def assert_promotion_refused(seeded: SeededAmis, *images: str) -> CompletedRun:
    before, mark = list_cloud(seeded.sandbox), seeded.sandbox.mark()
    done = seeded.catalog.bakeline("promote", *images, "--to", "Prod", want=7)
    assert seeded.sandbox.changes(mark) == [] and list_cloud(seeded.sandbox) == before, done
    assert seeded.catalog.bakeline("latest", images[-1], "--env", "Prod").code == 6
    return done


def assert_promotion_succeeds(seeded: SeededAmis, *images: str) -> None:
    """Asserts that the promotion succeeds."""
    seeded.catalog.bakeline("promote", *images, "--to", "Prod", want=0)
    for image in images:
        ami = seeded.amis_by_id()[seeded.catalog.latest(image, "Prod")]
        assert tags(ami)["bakeline:image"] == image and current(ami) == {"Test", "Prod"}


@pytest.mark.parametrize(
    ("state", "says"), [("held", f"bakeline hold base {VERSION} --release-hold"), ("revoked", "release it first")]
)
def test_promotion_refuses_held_and_revoked(seeded: SeededAmis, state: str, says: str) -> None:
    ami = add(seeded, "base")
    add_tag(seeded, ami, "bakeline:state", state)
    done = assert_promotion_refused(seeded, "base")
    assert says in done.err and "`base`" in done.err, done
    add_tag(seeded, ami, "bakeline:state", "released")
    assert_promotion_succeeds(seeded, "base")


def test_promotion_needs_current_version_below(seeded: SeededAmis) -> None:
    ami = seeded.add("base", 20, {"Environment": "", "bakeline:current": ""})
    done = assert_promotion_refused(seeded, "base")
    assert "no version of `base` is current in `Test`; release it first" in done.err, done
    add_tag(seeded, ami, "bakeline:current", HERE)
    assert_promotion_succeeds(seeded, "base")


def test_promotion_waits_for_soak(seeded: SeededAmis) -> None:
    settings = json.loads((seeded.catalog.at / "bakeline.yaml").read_text())
    gated = [{"name": "Test"}, {"name": "Prod", "gates": {"soak": "9d"}}]
    seeded.catalog.file("bakeline.yaml", json.dumps({**settings, "environments": gated}))
    ami = add(seeded, "base")
    add_tag(seeded, ami, "bakeline:current", "Test=2999-01-01T00:00:00Z")
    done = assert_promotion_refused(seeded, "base")
    assert "2999-01-10" in done.err and "`Prod` requires" in done.err, done
    add_tag(seeded, ami, "bakeline:current", HERE)
    assert_promotion_succeeds(seeded, "base")


def test_promotion_needs_the_parent(seeded: SeededAmis) -> None:
    add(seeded, "base")
    add(seeded, "web", parent="base")
    done = assert_promotion_refused(seeded, "web")
    assert f"layered on base@{VERSION}, which is not in `Prod`; promote `base` first or together" in done.err, done
    assert_promotion_succeeds(seeded, "web", "base")


def test_promotion_needs_the_exact_parent_version(seeded: SeededAmis) -> None:
    add(seeded, "base")
    assert_promotion_succeeds(seeded, "base")
    web = seeded.add("web", 20, {"bakeline:current": HERE, "bakeline:parent": "base@20260119.1"})
    done = assert_promotion_refused(seeded, "web")
    assert "layered on base@20260119.1, which is not in `Prod`" in done.err, done
    add_tag(seeded, web, "bakeline:parent", f"base@{VERSION}")
    assert_promotion_succeeds(seeded, "web")
