"""Instances as chroots, under a process that may neither mount nor configure networks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from booted import STORE, Key, address, spec, until

from bakeline_sandbox.backends import Ended, chroot
from bakeline_sandbox.backends.pick import pick
from bakeline_sandbox.backends.system import pids
from bakeline_sandbox.roots import Roots

PLACE = STORE.with_name(STORE.name + "-chroot")
PROBLEMS = chroot.problems(PLACE)
JAVA = {"debian-12": "openjdk-17-jre-headless", "debian-13": "openjdk-21-jre-headless"}


@pytest.mark.real
@pytest.mark.skipif(bool(PROBLEMS), reason="; ".join(problem.cause for problem in PROBLEMS))
@pytest.mark.skipif(not shutil.which("capsh"), reason="needs capsh (apt-get install libcap2-bin)")
@pytest.mark.parametrize("image", JAVA)
def test_without_mounts_and_namespaces(image):
    inner = f"{sys.executable} {__file__} {image}"
    done = subprocess.run(
        ["capsh", "--drop=cap_sys_admin,cap_net_admin", "--", "-c", inner],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")


def main(image: str) -> None:
    """Boot, install, freeze and boot the layer again; runs with the capabilities dropped."""
    folder = PLACE / image
    folder.mkdir(parents=True, exist_ok=True)
    if not (PLACE / "cache").exists():
        (PLACE / "cache").symlink_to(STORE / "cache") if (STORE / "cache").exists() else (PLACE / "cache").mkdir()
    Roots(PLACE).ensure([image])
    backend, why = pick(PLACE, None)
    assert backend.name == "chroot" and "forbidden" in why, why
    ended = []
    backend.sweep()
    backend.open(lambda instance, how: ended.append((instance, how)))
    shutil.rmtree(folder)
    folder.mkdir()
    key, other = Key(folder), Key(folder, "other")
    try:
        scenario(backend, image, key, other, ended)
    finally:
        backend.close()
        for name in ("snap-c1", "snap-c2"):
            backend.drop_layer(name)
    assert not [pid for pid in pids() if chroot._root_of(pid).startswith(str(PLACE))]
    print("done")


def scenario(backend, image, key, other, ended):
    """One instance, its image, and an instance of that."""
    host, second = address(backend, 10), address(backend, 11)
    first = spec(1, (image,), host, key, user_data=b"#!/bin/sh\necho told > /root/told\n")
    backend.launch(first)
    key.up(host)
    until(lambda: key.ssh(host, "sudo cat /root/told").stdout == "told\n")
    assert key.ssh(host, "systemctl is-system-running").stdout == "offline\n"
    install = "sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends nginx-light"
    key.out(host, f"{install} {JAVA[image]}")
    key.out(host, "java -version && sudo java -version && sudo systemctl enable nginx && sudo systemctl restart nginx")
    assert key.ssh(host, "sudo mount -t tmpfs none /mnt").returncode
    before = backend.instances[first.instance_id].process
    key.ssh(host, "sudo reboot")
    until(lambda: backend.instances[first.instance_id].process is not before)
    key.up(host)
    assert not ended
    key.ssh(host, "sudo shutdown -h now")
    until(lambda: ended == [(first.instance_id, Ended.POWERED_OFF)])
    layers = backend.freeze(first.instance_id, "snap-c1")
    assert layers == ("snap-c1", image)
    backend.launch(spec(2, layers, second, other))
    other.up(second)
    other.out(second, 'command -v /usr/sbin/nginx && java -version && test -z "$(dpkg --audit)"')
    backend.stop("i-00000000000000002")
    assert other.ssh(second, "true").returncode == 255
    backend.start(first.instance_id)
    key.up(host)


if __name__ == "__main__":
    main(sys.argv[1])
