#!/usr/bin/env python3
"""Measures a release of three layered images against `by-hand.sh`, which does the same work with packer, awscli and ssh.

Same builds, jobs and poll delay, warm cache, alternating; prints every time, both medians and their ratio.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BAKELINE = os.environ["BAKELINE"]
ROUNDS, JOBS = int(os.environ.get("ROUNDS", "5")), "2"


def catalog(folder: pathlib.Path, name: str) -> pathlib.Path:
    """A copy of the catalog under a name of its own, so that each round is a first release."""
    target = folder / name
    shutil.copytree(HERE / "catalog", target)
    settings = target / "bakeline.yaml"
    settings.write_text(settings.read_text().replace("name: bench", f"name: {name}"))
    return target


def timed(command: list[str], cwd: pathlib.Path) -> float:
    """Seconds that a command takes; it must succeed."""
    begun = time.monotonic()
    ran = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{command} failed with {ran.returncode}:\n{ran.stdout[-3000:]}")
    return time.monotonic() - begun


def main() -> None:
    """Warms up, alternates, prints."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="bakeline-bench-"))
    release = [BAKELINE, "release", "--jobs", JOBS]
    timed(release, catalog(work, "warm"))
    run = next((work / "warm" / ".bakeline" / "runs").iterdir())
    for image in ["base", "left", "right"]:
        shutil.copytree(run / image / "packer", work / "hand" / image / "packer")
    ours, theirs = [], []
    for number in range(ROUNDS):
        ours.append(timed(release, catalog(work, f"ours{number}")))
        theirs.append(timed([str(HERE / "by-hand.sh"), str(work / "hand"), f"theirs{number}", JOBS], work))
        print(f"round {number + 1}: bakeline {ours[-1]:.1f} s, by hand {theirs[-1]:.1f} s", flush=True)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"release: bakeline {a:.1f} s, by hand {b:.1f} s, ratio {a / b:.2f} (aim: at most 1.10)")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
