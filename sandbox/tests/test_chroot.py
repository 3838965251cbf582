"""Tests instances in chroots, in a process that can neither mount nor configure networks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from real_instances import (
    STATE_DIR,
    Key,
    create_spec,
    private_address,
    remove_leftovers,
    wait_until,
)

from bakeline_sandbox.backends.requirements import chroot_problems
from bakeline_sandbox.backends.selection import select_backend
from bakeline_sandbox.host.processes import list_pids, read_root_link
from bakeline_sandbox.instance_backend import ExitReason
from bakeline_sandbox.vendor_roots import VendorRoots

CHROOT_DIR = STATE_DIR.with_name(STATE_DIR.name + "-chroot")
PROBLEMS = chroot_problems(CHROOT_DIR)
JAVA_PACKAGES = {
    "debian-12": "openjdk-17-jre-headless",
    "debian-13": "openjdk-21-jre-headless",
}
SNAPSHOTS = ("snap-c1", "snap-c2")


@pytest.mark.real
@pytest.mark.skipif(bool(PROBLEMS), reason="; ".join(problem.cause for problem in PROBLEMS))
@pytest.mark.skipif(not shutil.which("capsh"), reason="needs capsh (apt-get install libcap2-bin)")
@pytest.mark.parametrize("image", JAVA_PACKAGES)
def test_chroot_works_without_mounts_and_namespaces(image):
    command = f"{sys.executable} {__file__} {image}"
    completed = subprocess.run(
        ["capsh", "--drop=cap_sys_admin,cap_net_admin", "--", "-c", command],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert completed.stdout.endswith("done\n")


def main(image: str) -> None:
    """Runs the scenario on an image; the caller has dropped capabilities."""
    folder = CHROOT_DIR / image
    folder.mkdir(parents=True, exist_ok=True)
    cache, shared_cache = CHROOT_DIR / "cache", STATE_DIR / "cache"
    if not cache.exists():
        if shared_cache.exists():
            cache.symlink_to(shared_cache)
        else:
            cache.mkdir()
    backend, reason = select_backend(CHROOT_DIR, None)
    assert backend.name == "chroot" and "forbidden" in reason, reason
    remove_leftovers(backend, CHROOT_DIR)
    VendorRoots(CHROOT_DIR).ensure_roots([image])
    exits = []
    backend.open(lambda instance_id, reason: exits.append((instance_id, reason)))
    shutil.rmtree(folder)
    folder.mkdir()
    key, other = Key(folder), Key(folder, "other")
    try:
        run_scenario(backend, image, key, other, exits)
    finally:
        backend.close()
        for name in SNAPSHOTS:
            backend.delete_layer(name)
    inside = [pid for pid in list_pids() if read_root_link(pid).startswith(str(CHROOT_DIR))]
    assert not inside
    print("done")


def run_scenario(backend, image, key, other, exits):
    """Builds an image on an instance, and launches a second instance from it."""
    host, second_host = private_address(backend, 10), private_address(backend, 11)
    user_data = b"#!/bin/sh\necho from-user-data > /root/output\n"
    first = create_spec(1, (image,), host, key, user_data=user_data)
    backend.launch(first)
    key.wait_for_ssh(host)
    wait_until(lambda: key.ssh(host, "sudo cat /root/output").stdout == "from-user-data\n")
    assert key.ssh(host, "systemctl is-system-running").stdout == "offline\n"
    install = "sudo DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends"
    packages = f"nginx-light {JAVA_PACKAGES[image]}"
    key.output(host, f"sudo apt-get update -q && {install} {packages}")
    start = "sudo systemctl enable nginx && sudo systemctl restart nginx"
    key.output(host, f"java -version && sudo java -version && {start}")
    assert key.ssh(host, "sudo mount -t tmpfs none /mnt").returncode
    before = backend.instances[first.instance_id].process
    key.ssh(host, "sudo reboot")
    wait_until(lambda: backend.instances[first.instance_id].process is not before)
    key.wait_for_ssh(host)
    assert not exits
    key.ssh(host, "sudo shutdown -h now")
    wait_until(lambda: exits == [(first.instance_id, ExitReason.POWERED_OFF)])
    layers = backend.freeze_disk(first.instance_id, SNAPSHOTS[0])
    assert layers == (SNAPSHOTS[0], image)
    second = create_spec(2, layers, second_host, other)
    backend.launch(second)
    other.wait_for_ssh(second_host)
    check = 'command -v /usr/sbin/nginx && java -version && test -z "$(dpkg --audit)"'
    other.output(second_host, check)
    backend.stop(second.instance_id)
    assert other.ssh(second_host, "true").returncode == 255
    backend.start(first.instance_id)
    key.wait_for_ssh(host)


if __name__ == "__main__":
    main(sys.argv[1])
