"""The identity of instances of an AMI: what the image holds stays, and only the guest's own first boot changes it."""

from __future__ import annotations

import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from booted import STORE, Key, address, spec

from bakeline_sandbox.backends import chroot, nspawn
from bakeline_sandbox.roots import Roots

pytestmark = pytest.mark.real
SEAL = (Path(__file__).parents[2] / "templates/provision/debian/seal.sh").read_text()
KINDS = {"nspawn": (nspawn.NspawnBackend, nspawn.problems), "chroot": (chroot.ChrootBackend, chroot.problems)}
ID = re.compile(r"[0-9a-f]{32}\n")
KEYS = "cat /etc/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture(scope="module", params=KINDS)
def backend(request):
    make, problems = KINDS[request.param]
    place = STORE.with_name(f"{STORE.name}-identity-{request.param}")
    if found := problems(place):
        pytest.skip("; ".join(problem.cause for problem in found))
    place.mkdir(parents=True, exist_ok=True)
    (STORE / "cache").mkdir(parents=True, exist_ok=True)
    if not (place / "cache").exists():
        (place / "cache").symlink_to(STORE / "cache")
    Roots(place).ensure(["debian-12", "debian-13"])
    made = make(place)
    made.sweep()
    made.open(print)
    yield made
    made.close()


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def launch(backend, key):
    started = []

    def start(number, image, **more):
        made = spec(number, image, address(backend, number), key, **more)
        started.append(made)
        backend.launch(made)
        key.up(made.private_ip)
        return made.private_ip

    yield start
    for made in started:
        backend.terminate(made.instance_id)
    for layer in sorted({layer for made in started for layer in made.layers if layer.startswith("snap-")}):
        backend.drop_layer(layer)


@pytest.fixture
def bake(backend, key, launch):
    """Returns a function that builds an image by a script: the builder's facts before it, and the image's layers."""

    def build(number, facts, script, image="debian-12"):
        host = launch(number, (image,))
        key.out(host, "command -v systemctl >/dev/null && systemctl is-system-running --wait || true")
        shown = key.out(host, facts)
        key.out(host, f"sudo sh -c {shlex.quote(script)}")
        instance = spec(number, (image,), host, key).instance_id
        backend.stop(instance)
        return shown, backend.freeze(instance, f"snap-{number}")

    return build


def without(*lines: str) -> str:
    """Returns seal.sh without some of its lines."""
    for line in lines:
        assert f"\n{line}\n" in SEAL, f"seal.sh has no line `{line}`"
    return "\n".join(line for line in SEAL.split("\n") if line not in lines)


@pytest.mark.parametrize("image", ["debian-12", "debian-13"])
def test_image_whose_seal_lost_the_machine_id_boots_with_the_builders(backend, key, launch, bake, image):
    builders, layers = bake(10, "cat /etc/machine-id", without(": > /etc/machine-id"), image)
    assert ID.fullmatch(builders)
    with ThreadPoolExecutor(2) as pool:
        hosts = list(pool.map(lambda number: launch(number, layers), (11, 12)))
    assert [key.out(host, "cat /etc/machine-id") for host in hosts] == [builders, builders]
    # Two instances with one id at a time work, and have keys of their own.
    if backend.name == "nspawn":
        assert [key.out(host, "systemctl is-system-running --wait") for host in hosts] == ["running\n"] * 2
        assert len({key.out(host, "hostname") for host in hosts}) == 2
        assert len({key.out(host, "cat /proc/sys/kernel/random/boot_id") for host in hosts}) == 2
    assert len({key.out(host, KEYS) for host in hosts}) == 2


def test_sealed_image_gives_each_instance_an_identity(key, launch, bake):
    builders, layers = bake(10, f"cat /etc/machine-id; {KEYS}", SEAL)
    hosts = [launch(number, layers) for number in (11, 12)]
    ids = [key.out(host, "cat /etc/machine-id") for host in hosts]
    assert all(ID.fullmatch(one) and one not in builders for one in ids) and len(set(ids)) == 2
    keys = [key.out(host, KEYS) for host in hosts]
    assert len(set(keys)) == 2 and not any(one in builders for one in keys)


def test_cloud_init_decides_about_host_keys_of_the_image(key, launch, bake, tmp_path):
    files = "cd /etc/ssh; ls ssh_host_*; sudo cat ssh_host_ed25519_key.pub"
    left = without("rm -f /etc/ssh/ssh_host_*")
    builders, layers = bake(10, files, left)
    shown = key.out(launch(11, layers), files)
    *kinds, public = shown.splitlines()
    assert kinds == builders.splitlines()[:-1] and "ssh_host_rsa_key" in kinds
    assert public.split()[1] != builders.splitlines()[-1].split()[1]
    pair = Key(tmp_path)
    config = {"ssh_keys": {"ed25519_private": pair.path.read_text(), "ed25519_public": pair.public}}
    given = launch(12, layers, user_data=f"#cloud-config\n{json.dumps(config)}".encode())
    assert key.out(given, files) == f"ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n{pair.public}"
    keep = "echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99_keep.cfg\n"
    builders, layers = bake(20, files, keep + left)
    assert key.out(launch(21, layers), files) == builders


def test_other_state_of_the_image_stays(key, launch, bake):
    state = {
        "/var/lib/systemd/random-seed": "seed of the builder",
        "/var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef",
        "/var/lib/systemd/timers/stamp-x.timer": "",
        "/etc/ssh/ssh_known_hosts": "builder",
    }
    plant = "".join(f"mkdir -p $(dirname {at}); rm -f {at}; echo '{text}' > {at}\n" for at, text in state.items())
    _, layers = bake(10, "true", SEAL + plant)
    host = launch(11, layers)
    assert key.out(host, f"sudo cat {' '.join(state)}") == "".join(f"{text}\n" for text in state.values())
    # systemd takes the id of D-Bus where /etc/machine-id is empty (machine-id(5)).
    assert key.out(host, "cat /etc/machine-id") == "0123456789abcdef0123456789abcdef\n"
