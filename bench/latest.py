#!/usr/bin/env python3
"""Measures `bakeline latest` against the equivalent awscli call, in 20 interleaved rounds."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

BAKELINE = os.environ["BAKELINE"]
CATALOG, IMAGE = "ours0", "left"


def timed(command: list[str], cwd: str) -> tuple[float, str]:
    """Runs a command and returns its duration in seconds and its output."""
    begun = time.monotonic()
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    if ran.returncode != 0:
        sys.exit(f"{command} failed: {ran.stderr}")
    return took, ran.stdout.strip()


def main() -> None:
    """Interleaves both, compares their answers, prints medians and ratio."""
    ours = [BAKELINE, "latest", IMAGE, "--env", "Test", "--catalog", CATALOG, "--region", "us-east-1"]
    filters = [
        f"Name=tag:bakeline:{k},Values={v}"
        for k, v in {"catalog": CATALOG, "image": IMAGE, "state": "released"}.items()
    ]
    theirs = ["aws", "ec2", "describe-images", "--region", "us-east-1", "--owners", "self", "--output", "text"]
    theirs += ["--query", "sort_by(Images, &CreationDate)[-1].ImageId", "--filters", *filters]
    cwd = tempfile.gettempdir()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(20):
        (a, left), (b, right) = timed(ours, cwd), timed(theirs, cwd)
        if left != right:
            sys.exit(f"the answers differ: {left} and {right}")
        times[0].append(a)
        times[1].append(b)
    a, b = statistics.median(times[0]), statistics.median(times[1])
    print(f"latest: bakeline {a * 1000:.0f} ms, awscli {b * 1000:.0f} ms, {b / a:.1f} x faster (aim: 20)")


if __name__ == "__main__":
    main()
