"""Compares prune with an independent reference on random inventories: both name the same set.

CI compares 500 inventories; `make matrix` compares 10,000.

The reference, `prune_reference.py`, was written from docs/concepts/retirement.md ("What prune keeps") without reading the program. It has one
function:

    retired_amis(settings, images, inventory) -> set of the IDs of the AMIs that no rule keeps

`settings` is bakeline.yaml as a dictionary without defaults, `images` the names of the catalog's images, and `inventory` a
recorded inventory (`--save-inventory`) as a dictionary. This file generates inventories, runs `bakeline prune --inventory FILE
--json` and compares the results. It also counts how often each rule decided, so that every rule is really compared.
"""

from __future__ import annotations

import collections
import datetime
import json
import os
import pathlib
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor

import prune_reference as reference
import yaml
from support.run import BAKELINE

WORLDS = 10_000 if os.environ.get("BAKELINE_MATRIX") == "1" else 500
LEAST = WORLDS // 10
RULES = [
    "current",
    "newest",
    "young",
    "reserve",
    "orphaned",
    "unfinished",
    "referenced",
    "launched",
    "protected",
    "parent",
]
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
OWNERS = ("123456789012", "210987654321")
REGIONS = ("eu-west-1", "eu-central-1")
IMAGES = ("base", "jdk", "web")


def settings_of(dice: random.Random) -> dict:
    """Generates a bakeline.yaml with one to three environments, with and without their own retention."""

    def retention() -> dict:
        choices = {"keep": (1, 4), "days": (0, 14), "reserve": (1, 3)}
        return {key: dice.randint(*span) for key, span in choices.items() if dice.random() < 0.6}

    names = dice.choice((("Test", "Prod"), ("Test", "Stage", "Prod"), ("Only",)))
    ladder = [{"name": name} for name in names]
    for rung in ladder:
        if dice.random() < 0.3:
            rung["tag_value"] = rung["name"].lower()
        if dice.random() < 0.4:
            rung["retention"] = retention()
    out = {"name": "acme", "regions": list(REGIONS), "environments": ladder}
    if dice.random() < 0.7:
        out["retention"] = retention()
    if dice.random() < 0.2:
        out["tag_keys"] = {"environment": "Stage of life"}
    return out


def random_time(dice: random.Random, days: float) -> str:
    """Returns a time within the last `days` days."""
    ago = NOW - datetime.timedelta(seconds=int(dice.uniform(0, days * 86400)))
    return ago.strftime("%Y-%m-%dT%H:%M:%SZ")


def tags_of(dice: random.Random, settings: dict, image: str, version: str, ami: str, status: str) -> dict[str, str]:
    rungs = settings["environments"]
    values = [rung.get("tag_value", rung["name"]) for rung in rungs]
    rung = dice.choices([*values, "", "Elsewhere"], [6] * len(values) + [1, 1])[0]
    states = ("released", "held", "revoked", "retiring", "candidate")
    weights = (1, 0, 1, 9, 1) if status == "disabled" else (12, 2, 2, 3, 1)
    state = dice.choices(states, weights)[0]
    tags = {
        "bakeline:schema": "1",
        "bakeline:catalog": "acme",
        "bakeline:self": ami,
        "bakeline:image": image,
        "bakeline:version": version,
        "bakeline:arch": dice.choices(("x86_64", "arm64"), (5, 1))[0],
        "bakeline:state": state,
        "bakeline:current": "",
        settings.get("tag_keys", {}).get("environment", "Environment"): rung,
    }
    if dice.random() < 0.12:
        chosen = dice.sample(rungs, dice.randint(1, len(rungs)))
        tags["bakeline:current"] = " ".join(f"{rung['name']}={random_time(dice, 20)}" for rung in chosen)
    if state == "retiring":
        disabled = f" disable={random_time(dice, 9)}" if dice.random() < 0.5 else ""
        tags["bakeline:retiring"] = f"deprecate={random_time(dice, 20)}{disabled}"
    if image != IMAGES[0] and dice.random() < 0.9:
        parent = IMAGES[IMAGES.index(image) - 1]
        tags["bakeline:parent"] = f"{parent}@{version_of(dice)}"
    spoilt = dice.random()
    if spoilt < 0.02:
        tags["bakeline:self"] = "ami-elsewhere"
    elif spoilt < 0.03:
        tags["bakeline:catalog"] = "another"
    elif spoilt < 0.04:
        tags[dice.choice(("bakeline:schema", "bakeline:version", "bakeline:arch", "bakeline:state"))] = "?"
    return tags


def version_of(dice: random.Random) -> str:
    day = NOW.date() - datetime.timedelta(days=dice.randint(0, 12))
    return f"{day:%Y%m%d}.{dice.choices((1, 2), (4, 1))[0]}"


def ami_of(dice: random.Random, settings: dict, number: int) -> dict:
    ami, image, version = f"ami-{number:017x}", dice.choice(IMAGES), version_of(dice)
    status = dice.choices(("available", "disabled", "pending", "failed"), (30, 4, 1, 1))[0]
    created = random_time(dice, 14)
    out = {
        "id": ami,
        "region": dice.choices(REGIONS, (4, 1))[0],
        "name": f"acme/{image}/{version}-{number}",
        "owner": dice.choices(OWNERS, (9, 1))[0],
        "arch": "x86_64",
        "created": created,
        "status": status,
        "root_device": "/dev/xvda",
        "snapshots": [f"snap-{number:017x}"],
        "tags": tags_of(dice, settings, image, version, ami, status),
        "public": dice.random() < 0.03,
        "protected": dice.random() < 0.05,
    }
    if dice.random() < 0.2:
        first = datetime.datetime.fromisoformat(created)
        near = first + datetime.timedelta(minutes=dice.randint(1, 100))
        out["last_launched"] = near.strftime("%Y-%m-%dT%H:%M:%SZ") if dice.random() < 0.4 else random_time(dice, 12)
    return out


def inventory_of(dice: random.Random, settings: dict) -> dict:
    images = [ami_of(dice, settings, number) for number in range(dice.randint(8, 40))]
    kinds = ("instance", "launch-template", "auto-scaling-group", "parameter", "image-builder", "shared-with")
    used = [ami for ami in images if dice.random() < 0.1]
    references = [{"ami": ami["id"], "kind": dice.choice(kinds), "by": f"x-{at}"} for at, ami in enumerate(used)]
    return {
        "schema": 1,
        "taken": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "account": OWNERS[0],
        "caller": "me",
        "images": images,
        "references": references,
    }


def write_catalog(folder: pathlib.Path, settings: dict, names: list[str]) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "bakeline.yaml").write_text(json.dumps(settings))
    for name in names:
        (folder / "images" / f"{name}.yaml").write_text('{"source": {"owner": "amazon", "name": "debian-*"}}')


def decisions(folder: pathlib.Path, inventory: pathlib.Path) -> list[dict]:
    command = [BAKELINE, "-C", str(folder), "prune", "--inventory", str(inventory), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def compare_inventory(number: int, folder: pathlib.Path) -> tuple[collections.Counter, str | None]:
    """Compares one inventory. Returns how often each rule alone kept an AMI, and the differences."""
    dice = random.Random(20261122 + number)
    settings = settings_of(dice)
    names = [name for name in IMAGES if dice.random() < 0.9]
    inventory = inventory_of(dice, settings)
    home = folder / str(number)
    write_catalog(home, settings, names)
    file = home / "inventory.json"
    file.write_text(json.dumps(inventory))
    decided = decisions(home, file)
    ours = {fate["ami"] for fate in decided if fate["retire"]}
    theirs = reference.retired_amis(settings, names, inventory)
    count = collections.Counter()
    count["judged"], count["goes"] = len(decided), len(ours)
    for fate in decided:
        keeping = [answer["rule"] for answer in fate["answers"] if answer["keeps"]]
        count.update(keeping[:1] if len(keeping) == 1 else [])
        count.update(f"{rule} among others" for rule in keeping if len(keeping) > 1)
    if ours != theirs:
        more, less = sorted(ours - theirs), sorted(theirs - ours)
        return count, f"inventory {number} in {home}: only bakeline retires {more}, only the reference {less}"
    for path in (file, home / "bakeline.yaml", *(home / "images").iterdir()):
        path.unlink()
    return count, None


def test_prune_matches_reference(tmp_path: pathlib.Path) -> None:
    total, different = collections.Counter(), []
    with ThreadPoolExecutor(2) as pool:
        for count, difference in pool.map(lambda number: compare_inventory(number, tmp_path), range(WORLDS)):
            total += count
            different += [difference] if difference else []
    for name, times in sorted(total.items()):
        print(f"{name:25} {times:8}")
    assert not different, f"{len(different)} inventories differ: {different[:3]}"
    assert total["goes"] >= LEAST
    rare = {rule: total[rule] for rule in RULES if total[rule] < LEAST}
    assert not rare, f"these rules decided alone fewer than {LEAST} times: {rare}"


def test_forty_day_simulation_matches_reference() -> None:
    """Checks the last day of the simulation, which a unit test of the steps writes."""
    ended = json.loads((pathlib.Path(__file__).parents[2] / "data/forty-day-simulation.json").read_text())
    settings, inventory, left = yaml.safe_load(ended["settings"]), ended["world"], set(ended["left"])
    kept = settings["retention"]
    assert (kept["keep"], kept["reserve"]) == (5, 2)
    tags = {ami["id"]: ami["tags"] for ami in inventory["images"]}
    gone = reference.retired_amis(settings, sorted({its["bakeline:image"] for its in tags.values()}), inventory)
    assert gone, "the last night let something go"
    assert left == tags.keys() - gone
    # A manual copy is not a version; it stays and does not count.
    own = [tags[ami]["bakeline:image"] for ami in left if tags[ami]["bakeline:self"] == ami]
    assert set(collections.Counter(own).values()) == {7}


def test_protecting_fact_keeps_every_retired_ami(tmp_path: pathlib.Path) -> None:
    seen = 0
    for number in range(max(20, WORLDS // 100)):
        dice = random.Random(number)
        settings = settings_of(dice)
        inventory, home = inventory_of(dice, settings), tmp_path / str(number)
        write_catalog(home, settings, list(IMAGES))
        file = home / "inventory.json"
        file.write_text(json.dumps(inventory))
        going = [fate["ami"] for fate in decisions(home, file) if fate["retire"]]
        if not going:
            continue
        chosen = dice.choice(going)
        found = next(ami for ami in inventory["images"] if ami["id"] == chosen)
        changed = json.loads(json.dumps(inventory))
        for what in ("reference", "protected", "current", "launched", "candidate"):
            changed = json.loads(json.dumps(inventory))
            ami = changed["images"][inventory["images"].index(found)]
            if what == "reference":
                changed["references"].append({"ami": chosen, "kind": "instance", "by": "i-1"})
            elif what == "protected":
                ami["protected"] = True
            elif what == "current":
                ami["tags"]["bakeline:current"] = f"{settings['environments'][0]['name']}=2026-11-20T00:00:00Z"
            elif what == "launched":
                ami["created"], ami["last_launched"] = "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z"
            else:
                ami["tags"]["bakeline:state"] = "candidate"
            file.write_text(json.dumps(changed))
            fate = next(fate for fate in decisions(home, file) if fate["ami"] == chosen)
            assert not fate["retire"], f"{chosen} of inventory {number} is retired although {what}"
            seen += 1
    assert seen >= 50
