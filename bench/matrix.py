#!/usr/bin/env python3
"""Measures `validate` and `plan` of 10,000 images of matrices, and of the same images as 10,000 files, alternating.

A file can define at most 256 images, so that 40 files define 250 images each. Both catalogs must have the same plan.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from measured import measured

BAKELINE = os.environ["BAKELINE"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
FILES, FIRST, SECOND = 40, 25, 10  # files, and the number of values of both variables
AIM_RATIO = 1.2
INVENTORY = {"schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "123456789012", "caller": "me", "images": []}
VENDOR = {
    "id": "ami-vendor", "region": "eu-west-1", "name": "debian-12-amd64-20261101", "owner": "136693071363",
    "arch": "x86_64", "created": "2026-11-01T12:00:00.000Z", "status": "available", "root_device": "/dev/xvda",
    "snapshots": ["snap-vendor"], "tags": {},
}  # fmt: skip


def create(at: pathlib.Path) -> None:
    """Writes what both catalogs share: settings, a base image and the recorded inventory."""
    (at / "images").mkdir(parents=True)
    (at / "bakeline.yaml").write_text("name: bench\nregions: [eu-west-1]\n")
    (at / "images/base.yaml").write_text("source: {owner: '136693071363', name: 'debian-12-amd64-*'}\n")
    (at / "inventory.json").write_text(json.dumps({**INVENTORY, "sources": {"base": VENDOR}}))


def image(number: str, first: str, second: str) -> str:
    """Returns an image file without its name."""
    return (
        f"parent: base\ndescription: image {number} for {first} on {second}\n"
        f"packages: [curl, 'pkg-{first}', 'tool-{number}-{second}']\n"
        f"checks:\n  - {{file: '/etc/app/{first}', content: {{include: 'release {second}'}}}}\n"
    )


def create_matrices(at: pathlib.Path) -> None:
    create(at)
    first, second = list(range(FIRST)), list(range(SECOND))
    for number in range(FILES):
        head = f"matrix: {{first: {first}, second: {second}}}\nname: app-{number}-${{first}}-${{second}}\n"
        text = head + image(str(number), "${first}", "${second}")
        (at / f"images/app-{number}.yaml").write_text(text)


def create_files(at: pathlib.Path) -> None:
    create(at)
    for number in range(FILES):
        for first in range(FIRST):
            for second in range(SECOND):
                text = image(str(number), str(first), str(second))
                (at / f"images/app-{number}-{first}-{second}.yaml").write_text(text)


def planned(at: pathlib.Path) -> list[tuple[str, str]]:
    """Returns image and description of each build of the plan."""
    words = [BAKELINE, "plan", "--json", "--inventory", "inventory.json"]
    ran = subprocess.run(words, cwd=at, capture_output=True, text=True, check=True)
    builds = [step["action"]["build"] for step in json.loads(ran.stdout)["steps"] if "build" in step["action"]]
    return sorted((build["image"], build["tags"].get("bakeline:recipe", "")) for build in builds)


def main() -> None:
    """Alternates the catalogs, and prints medians and the ratio."""
    with tempfile.TemporaryDirectory(prefix="bakeline-bench-") as work:
        places = {"matrices": pathlib.Path(work, "matrices"), "files": pathlib.Path(work, "files")}
        create_matrices(places["matrices"])
        create_files(places["files"])
        names = {kind: [name for name, _ in planned(at)] for kind, at in places.items()}
        if names["matrices"] != names["files"] or len(names["files"]) != FILES * FIRST * SECOND + 1:
            sys.exit("the catalogs do not define the same images")
        both: dict[str, list[float]] = {kind: [] for kind in places}
        for _ in range(ROUNDS):
            for kind, at in places.items():
                runs = [
                    measured([BAKELINE, *words], at)
                    for words in (["validate"], ["plan", "--inventory", "inventory.json"])
                ]
                both[kind].append(sum(run.seconds for run in runs))
        medians = {kind: statistics.median(times) for kind, times in both.items()}
        ratio = medians["matrices"] / medians["files"]
        print(f"validate + plan of 10,000 images in files: {medians['files'] * 1000:.0f} ms")
        print(
            f"validate + plan of 10,000 images of matrices: {medians['matrices'] * 1000:.0f} ms, {ratio:.2f} x"
            f" (aim: at most {AIM_RATIO} x)"
        )


if __name__ == "__main__":
    main()
