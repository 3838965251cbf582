#!/usr/bin/env python3
"""Measures `validate` and `plan` of generated catalogs of 1,000 and 10,000 images, alternating, with the peak memory of each.

The catalog and the recorded inventory are the same each time: one base image for each fifty, children up to three layers deep,
scripts and files of their own, a shared profile; two versions of each image. For a tenth of the images, the newest version has an
outdated recipe.
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
SMALL, LARGE = 1_000, 10_000
AIM_SECONDS, AIM_RATIO, AIM_MB = 0.3, 11.0, 200.0
VERSIONS = 2


def name(number: int) -> str:
    """The image's name."""
    return f"image-{number:05d}"


def parent(number: int) -> str | None:
    """None for every fiftieth; else the base, or one of its children, three layers deep at most."""
    inside = number % 50
    if inside == 0:
        return None
    return name(number - inside + (0 if inside < 8 else inside % 7 + 1))


def catalog(at: pathlib.Path, size: int) -> None:
    """Writes the catalog."""
    for folder in ("images", "profiles", "scripts", "files"):
        (at / folder).mkdir(parents=True)
    (at / "bakeline.yaml").write_text("name: bench\nregions: [eu-west-1]\n")
    checks = "".join(f"  - {{file: /etc/file-{n}, mode: '0644'}}\n" for n in range(20))
    (at / "profiles/common.yaml").write_text(f"checks:\n{checks}")
    for number in range(size):
        lines = [f"description: image number {number}", f"packages: [curl, pkg{number % 97}]"]
        if number % 3 == 0:
            (at / f"scripts/{name(number)}.sh").write_text(f"#!/bin/sh\necho {number}\n")
            lines.append(f"scripts: [scripts/{name(number)}.sh]")
        if number % 5 == 0:
            (at / f"files/{name(number)}").write_text(f"{number}\n" * 20)
            lines.append(f"files: [{{source: files/{name(number)}, destination: /etc/number}}]")
        above = parent(number)
        if above:
            lines.append(f"parent: {above}")
        else:
            lines += ["source: {owner: '136693071363', name: 'debian-12-amd64-*'}", "profiles: [common]"]
        (at / f"images/{name(number)}.yaml").write_text("\n".join(lines) + "\n")


def ami(ident: str, label: str, tags: dict[str, str]) -> dict[str, object]:
    """One AMI as a recorded inventory holds it."""
    return {
        "id": ident,
        "region": "eu-west-1",
        "name": label,
        "owner": "123456789012",
        "arch": "x86_64",
        "created": "2026-11-01T12:00:00.000Z",
        "status": "available",
        "root_device": "/dev/xvda",
        "snapshots": [f"snap-{ident}"],
        "tags": tags,
    }


def first(at: pathlib.Path, size: int) -> dict[str, dict[str, str]]:
    """Returns the tags that a first release writes on each candidate, by image."""
    vendor = ami("ami-vendor", "debian-12-amd64-20261101", {})
    sources = {name(n): vendor for n in range(0, size, 50)}
    inventory = {"schema": 1, "taken": "2026-11-22T12:00:00Z", "account": "123456789012", "caller": "me", "images": []}
    (at / "empty.json").write_text(json.dumps({**inventory, "sources": sources}))
    ran = subprocess.run(
        [BAKELINE, "plan", "--json", "--inventory", "empty.json"], cwd=at, capture_output=True, text=True, check=True
    )
    steps = json.loads(ran.stdout)["steps"]
    builds = [step["action"]["build"] for step in steps if "build" in step["action"]]
    return {build["image"]: build["tags"] for build in builds}


def write_inventory(at: pathlib.Path, size: int) -> None:
    """Writes the recorded inventory."""
    images = []
    for image, made in first(at, size).items():
        number = int(image.rsplit("-", 1)[1])
        for day in range(1, VERSIONS + 1):
            ident = f"ami-{number:05d}{day:02d}"
            version = f"202611{day:02d}.1"
            newest = day == VERSIONS
            tags = {**made, "bakeline:self": ident, "bakeline:version": version, "bakeline:state": "released"}
            tags["bakeline:base"] = "eu-west-1:ami-vendor"
            if newest:
                tags["bakeline:current"] = "Test=2026-11-10T00:00:00Z"
            if newest and number % 10 == 9:
                tags["bakeline:recipe"] = "0" * 64
            above = parent(number)
            if above:
                tags["bakeline:parent"] = f"{above}@202611{VERSIONS:02d}.1"
            images.append(ami(ident, f"bench/{image}/x86_64/{version}-run", tags))
    recorded = json.loads((at / "empty.json").read_text())
    (at / "inventory.json").write_text(json.dumps({**recorded, "images": images}))


def timed(words: list[str], at: pathlib.Path) -> tuple[float, float]:
    """Seconds and MB of peak memory of one run; it must succeed."""
    used = measured([BAKELINE, *words], at)
    return used.seconds, used.megabytes


def main() -> None:
    """Alternates the sizes, prints medians, ratio and memory."""
    with tempfile.TemporaryDirectory(prefix="bakeline-bench-") as work:
        places = {}
        for size in (SMALL, LARGE):
            places[size] = pathlib.Path(work) / str(size)
            # In a separate process: the peak memory of this process would count as the child's.
            subprocess.run([sys.executable, __file__, str(places[size]), str(size)], check=True)
        both: dict[int, list[float]] = {SMALL: [], LARGE: []}
        parts: dict[tuple[int, str], list[float]] = {}
        peak: dict[int, float] = {SMALL: 0.0, LARGE: 0.0}
        for _ in range(ROUNDS):
            for size, at in places.items():
                total = 0.0
                for words in (["validate"], ["plan", "--inventory", "inventory.json"]):
                    took, memory = timed(words, at)
                    parts.setdefault((size, words[0]), []).append(took)
                    peak[size] = max(peak[size], memory)
                    total += took
                both[size].append(total)
        small, large = (statistics.median(both[size]) for size in (SMALL, LARGE))
        for (size, word), times in parts.items():
            print(f"{word} of {size} images: {statistics.median(times) * 1000:.0f} ms")
        print(f"validate + plan of {SMALL} images: {small * 1000:.0f} ms (aim: under {AIM_SECONDS * 1000:.0f})")
        print(
            f"validate + plan of {LARGE} images: {large * 1000:.0f} ms, {large / small:.1f} x (aim: at most {AIM_RATIO:.0f} x)"
        )
        print(f"peak memory: {peak[SMALL]:.0f} MB and {peak[LARGE]:.0f} MB (aim: under {AIM_MB:.0f})")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        catalog(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
        write_inventory(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
