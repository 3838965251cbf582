#!/usr/bin/env python3
"""Measures a dry `bakeline prune` against cloud-custodian's policy for unused images, on 5,000 AMIs of the local EC2.

Needs BAKELINE (the program), CUSTODIAN (c7n's), and a sandbox that is up and may be reset, with what
`bakeline sandbox status --env` says in the environment.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

from measured import measured

BAKELINE, CUSTODIAN = os.environ["BAKELINE"], os.environ.get("CUSTODIAN", "custodian")
AMIS = int(os.environ.get("AMIS", "5000"))
REGION, ENDPOINT = os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL"]
IMAGES = 100


def control(verb: str, body: object) -> None:
    """Something that only the sandbox can make happen."""
    headers = {"X-Bakeline-Key": os.environ["AWS_ACCESS_KEY_ID"], "Content-Type": "application/json"}
    request = urllib.request.Request(f"{ENDPOINT}/_bakeline/control/{verb}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()


def seeded() -> None:
    """AMIS AMIs of IMAGES images, a fifth of them in Prod, the newest of each current."""
    control("reset", {})
    made, versions = [], AMIS // IMAGES
    for number in range(AMIS):
        image, day = number % IMAGES, number // IMAGES
        ami, version = f"ami-{number:017x}", f"2026{day // 28 + 1:02}{day % 28 + 1:02}.1"
        tags = {
            "bakeline:schema": "1",
            "bakeline:catalog": "many",
            "bakeline:self": ami,
            "bakeline:image": f"image{image}",
            "bakeline:version": version,
            "bakeline:arch": "x86_64",
            "bakeline:state": "released",
            "Environment": "Prod" if day % 5 == 0 else "Test",
        }
        if day == versions - 1:
            tags["bakeline:current"] = "Test=2026-06-01T00:00:00Z"
        created = f"2026-{day // 28 + 1:02}-{day % 28 + 1:02}T06:00:00Z"
        name = f"many/image{image}/x86_64/{version}-{number}"
        made.append({"id": ami, "name": name, "region": REGION, "created": created, "tags": tags})
    for start in range(0, len(made), 500):
        control("images", made[start : start + 500])


def calls(log: pathlib.Path) -> int:
    """How many API calls the sandbox has answered."""
    with log.open("rb") as lines:
        return sum(1 for _ in lines)


def cost(command: list[str], cwd: str, log: pathlib.Path) -> tuple[float, float, float, int]:
    """Seconds by the clock, CPU seconds, MiB at most, API calls."""
    before = calls(log)
    used = measured(command, cwd)
    return used.seconds, used.cpu, used.megabytes, calls(log) - before


def main() -> None:
    """Makes the AMIs, runs each once to warm up and three times, prints the best of each."""
    status = json.loads(
        subprocess.run([BAKELINE, "sandbox", "status", "--json"], capture_output=True, check=True).stdout
    )
    log = pathlib.Path(status["logs"]["api"])
    seeded()
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        (home / "images").mkdir()
        (home / "bakeline.yaml").write_text(json.dumps({"name": "many", "regions": [REGION]}))
        for image in range(IMAGES):
            (home / f"images/image{image}.yaml").write_text('{"source": {"owner": "amazon", "name": "debian-*"}}')
        unused = {
            "name": "unused",
            "resource": "ami",
            "filters": [{"type": "unused", "value": True}],
            "actions": ["deregister"],
        }
        (home / "policy.json").write_text(json.dumps({"policies": [unused]}))
        ours = [BAKELINE, "prune"]
        theirs = [
            CUSTODIAN,
            "run",
            "--dryrun",
            "--cache-period",
            "0",
            "-s",
            f"{home}/out",
            "-r",
            REGION,
            f"{home}/policy.json",
        ]
        for name, command in (("bakeline prune", ours), ("cloud-custodian", theirs)):
            best = min(cost(command, folder, log) for _ in range(3))
            took, cpu, memory, asked = best
            print(
                f"{name}: {took:.2f} s by the clock, {cpu:.2f} s of CPU, {memory:.0f} MiB, {asked} API calls, {AMIS} AMIs"
            )


if __name__ == "__main__":
    main()
