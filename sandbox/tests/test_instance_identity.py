"""Tests the identity of instances: only the guest changes what an AMI contains, at first boot."""

from __future__ import annotations

import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from real_instances import STATE_DIR, Key, create_spec, private_address, remove_leftovers

from bakeline_sandbox.backends.requirements import chroot_problems, nspawn_problems
from bakeline_sandbox.backends.selection import create_backend
from bakeline_sandbox.vendor_roots import VendorRoots

pytestmark = pytest.mark.real
SEAL = (Path(__file__).parents[2] / "templates/provision/common/seal.sh").read_text()
BACKENDS = {"nspawn": nspawn_problems, "chroot": chroot_problems}
MACHINE_ID = re.compile(r"[0-9a-f]{32}\n")
PRINT_MACHINE_ID = "cat /etc/machine-id"
PRINT_HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    state_dir = STATE_DIR.with_name(f"{STATE_DIR.name}-identity-{request.param}")
    if problems := BACKENDS[request.param](state_dir):
        pytest.skip("; ".join(problem.cause for problem in problems))
    state_dir.mkdir(parents=True, exist_ok=True)
    (STATE_DIR / "cache").mkdir(parents=True, exist_ok=True)
    if not (state_dir / "cache").exists():
        (state_dir / "cache").symlink_to(STATE_DIR / "cache")
    backend = create_backend(state_dir, request.param)
    remove_leftovers(backend, state_dir)
    VendorRoots(state_dir).ensure_roots(["debian-12", "debian-13"])
    backend.open(print)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def launch(backend, key):
    launched = []

    def launch(number, layers, **fields):
        address = private_address(backend, number)
        spec = create_spec(number, layers, address, key, **fields)
        launched.append(spec)
        backend.launch(spec)
        key.wait_for_ssh(address)
        return address

    yield launch
    for spec in launched:
        backend.terminate(spec.instance_id)
    layers = {layer for spec in launched for layer in spec.layers}
    for layer in sorted(layer for layer in layers if layer.startswith("snap-")):
        backend.delete_layer(layer)


@pytest.fixture
def build_image(backend, key, launch):
    def build_image(number, query, script, image="debian-12"):
        """Returns the output of `query` before `script` runs, and the layers of the new image."""
        host = launch(number, (image,))
        wait = "command -v systemctl >/dev/null && systemctl is-system-running --wait || true"
        key.output(host, wait)
        before = key.output(host, query)
        key.output(host, f"sudo sh -c {shlex.quote(script)}")
        instance_id = create_spec(number, (image,), host, key).instance_id
        backend.stop(instance_id)
        return before, backend.freeze_disk(instance_id, f"snap-{number}")

    return build_image


def seal_without(*lines: str) -> str:
    """Returns seal.sh without some of its lines."""
    for line in lines:
        assert f"\n{line}\n" in SEAL, f"seal.sh has no line `{line}`"
    return "\n".join(line for line in SEAL.split("\n") if line not in lines)


@pytest.mark.parametrize("image", ["debian-12", "debian-13"])
def test_image_with_machine_id_keeps_it(backend, key, launch, build_image, image):
    script = seal_without(": > /etc/machine-id")
    builder_id, layers = build_image(10, PRINT_MACHINE_ID, script, image)
    assert MACHINE_ID.fullmatch(builder_id)
    with ThreadPoolExecutor(2) as pool:
        hosts = list(pool.map(lambda number: launch(number, layers), (11, 12)))

    def outputs(command):
        return [key.output(host, command) for host in hosts]

    assert outputs(PRINT_MACHINE_ID) == [builder_id, builder_id]
    # Two instances with the same machine ID work, and have different host keys.
    if backend.name == "nspawn":
        assert outputs("systemctl is-system-running --wait") == ["running\n"] * 2
        assert len(set(outputs("hostname"))) == 2
        assert len(set(outputs("cat /proc/sys/kernel/random/boot_id"))) == 2
    assert len(set(outputs(PRINT_HOST_KEY))) == 2


def test_sealed_image_gives_each_instance_an_identity(key, launch, build_image):
    query = f"{PRINT_MACHINE_ID}; {PRINT_HOST_KEY}"
    builder, layers = build_image(10, query, SEAL)
    hosts = [launch(number, layers) for number in (11, 12)]
    machine_ids = {key.output(host, PRINT_MACHINE_ID) for host in hosts}
    assert len(machine_ids) == 2
    for machine_id in machine_ids:
        assert MACHINE_ID.fullmatch(machine_id) and machine_id not in builder
    host_keys = {key.output(host, PRINT_HOST_KEY) for host in hosts}
    assert len(host_keys) == 2 and not any(host_key in builder for host_key in host_keys)


def test_cloud_init_replaces_host_keys_of_the_image(key, launch, build_image, tmp_path):
    query = "cd /etc/ssh; ls ssh_host_*; sudo cat ssh_host_ed25519_key.pub"
    script = seal_without("rm -f /etc/ssh/ssh_host_*")
    builder, layers = build_image(10, query, script)
    *builder_files, builder_key = builder.splitlines()
    *files, host_key = key.output(launch(11, layers), query).splitlines()
    assert files == builder_files and "ssh_host_rsa_key" in files
    assert host_key.split()[1] != builder_key.split()[1]
    pair = Key(tmp_path)
    keys = {"ed25519_private": pair.path.read_text(), "ed25519_public": pair.public}
    user_data = f"#cloud-config\n{json.dumps({'ssh_keys': keys})}".encode()
    output = key.output(launch(12, layers, user_data=user_data), query)
    assert output == f"ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n{pair.public}"
    keep = "echo 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99_keep.cfg\n"
    builder, layers = build_image(20, query, keep + script)
    assert key.output(launch(21, layers), query) == builder


def test_other_files_of_the_image_stay(key, launch, build_image):
    files = {
        "/var/lib/systemd/random-seed": "seed of the builder",
        "/var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef",
        "/var/lib/systemd/timers/stamp-x.timer": "",
        "/etc/ssh/ssh_known_hosts": "builder",
    }
    write_files = "".join(
        f"mkdir -p $(dirname {path}); rm -f {path}; echo '{text}' > {path}\n"
        for path, text in files.items()
    )
    _, layers = build_image(10, "true", SEAL + write_files)
    host = launch(11, layers)
    contents = "".join(f"{text}\n" for text in files.values())
    assert key.output(host, f"sudo cat {' '.join(files)}") == contents
    # systemd uses the ID of D-Bus if /etc/machine-id is empty (machine-id(5)).
    assert key.output(host, PRINT_MACHINE_ID) == "0123456789abcdef0123456789abcdef\n"
