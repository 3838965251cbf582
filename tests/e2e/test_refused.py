"""Promotions that may not be: what failed, is not in Test, is held or revoked, is too young there, or whose parent is not in
Prod. Each is refused with its reason and changes nothing; without what is in the way, the same command goes through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.hosts import HERE, Fleet
from support.inventory import cloud
from support.run import Done
from support.sandbox import Sandbox

VERSION = "20260120.1"


@pytest.fixture
def fleet(box: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    """A base and a child of it, both current in Test."""
    box.reset()
    catalog = Catalog(box, tmp_path / "refused", "refused")
    catalog.image("base", source=VENDOR)
    catalog.image("web", parent="base")
    yield Fleet(box, catalog)


def add(fleet: Fleet, image: str, parent: str = "") -> str:
    layered = {"bakeline:parent": f"{parent}@{VERSION}"} if parent else {}
    return fleet.add(image, 20, {"bakeline:current": HERE, **layered})


def tag(fleet: Fleet, ami: str, key: str, value: str) -> None:
    fleet.box.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value}])


def refused(fleet: Fleet, *images: str) -> Done:
    before, mark = cloud(fleet.box), fleet.box.mark()
    done = fleet.catalog.bakeline("promote", *images, "--to", "Prod", want=7)
    assert fleet.box.changes(mark) == [] and cloud(fleet.box) == before, done
    assert fleet.catalog.bakeline("latest", images[-1], "--env", "Prod").code == 6
    return done


def promoted(fleet: Fleet, *images: str) -> None:
    """The proof that nothing else was in the way."""
    fleet.catalog.bakeline("promote", *images, "--to", "Prod", want=0)
    for image in images:
        ami = fleet.there()[fleet.catalog.latest(image, "Prod")]
        assert tags(ami)["bakeline:image"] == image and current(ami) == {"Test", "Prod"}


@pytest.mark.parametrize(
    ("state", "says"), [("held", f"bakeline hold base {VERSION} --release-hold"), ("revoked", "release it first")]
)
def test_what_is_held_or_revoked(fleet: Fleet, state: str, says: str) -> None:
    ami = add(fleet, "base")
    tag(fleet, ami, "bakeline:state", state)
    done = refused(fleet, "base")
    assert says in done.err and "`base`" in done.err, done
    tag(fleet, ami, "bakeline:state", "released")
    promoted(fleet, "base")


def test_what_is_not_in_test(fleet: Fleet) -> None:
    ami = fleet.add("base", 20, {"Environment": "", "bakeline:current": ""})
    done = refused(fleet, "base")
    assert "nothing of `base` is current in `Test`; release it first" in done.err, done
    tag(fleet, ami, "bakeline:current", HERE)
    promoted(fleet, "base")


def test_what_failed(fleet: Fleet) -> None:
    """A release that failed at boot: its candidate was there, and is not to be promoted."""
    absent = {"file": "/etc/never", "phase": ["boot"]}
    fleet.catalog.image("base", source=VENDOR, checks=[absent])
    mark = fleet.box.mark()
    fleet.catalog.release("base", want=3)
    assert "CreateImage" in fleet.box.changes(mark), "there never was a candidate"
    done = refused(fleet, "base")
    assert "nothing of `base` is current in `Test`; release it first" in done.err, done
    # The candidate that `--keep-failed` leaves is none either.
    fleet.catalog.release("base", "--keep-failed", want=3)
    [kept] = fleet.catalog.images()
    assert tags(kept)["bakeline:state"] == "candidate"
    assert "release it first" in refused(fleet, "base").err


def test_what_has_not_been_long_enough_in_test(fleet: Fleet) -> None:
    settings = json.loads((fleet.catalog.at / "bakeline.yaml").read_text())
    gated = [{"name": "Test"}, {"name": "Prod", "gates": {"soak": "9d"}}]
    fleet.catalog.file("bakeline.yaml", json.dumps({**settings, "environments": gated}))
    ami = add(fleet, "base")
    tag(fleet, ami, "bakeline:current", "Test=2999-01-01T00:00:00Z")
    done = refused(fleet, "base")
    assert "2999-01-10" in done.err and "`Prod` asks for" in done.err, done
    tag(fleet, ami, "bakeline:current", HERE)
    promoted(fleet, "base")


def test_what_has_a_parent_that_is_not_there(fleet: Fleet) -> None:
    add(fleet, "base")
    add(fleet, "web", parent="base")
    done = refused(fleet, "web")
    assert f"layered on base@{VERSION}, which is not in `Prod`; promote `base` first or together" in done.err, done
    promoted(fleet, "web", "base")


def test_another_version_of_the_parent_is_not_the_one(fleet: Fleet) -> None:
    add(fleet, "base")
    promoted(fleet, "base")
    web = fleet.add("web", 20, {"bakeline:current": HERE, "bakeline:parent": "base@20260119.1"})
    done = refused(fleet, "web")
    assert "layered on base@20260119.1, which is not in `Prod`" in done.err, done
    tag(fleet, web, "bakeline:parent", f"base@{VERSION}")
    promoted(fleet, "web")
