"""Tests instances in systemd-nspawn: boot, cloud-init, network, disks and cleanup."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from real_instances import (
    EGRESS_RULE,
    REMOVE_KEYS,
    SSH_RULE,
    STATE_DIR,
    Key,
    create_spec,
    private_address,
    remove_leftovers,
    survey_host,
    wait_until,
)

from bakeline_sandbox.backends import overlay
from bakeline_sandbox.backends.nspawn import NspawnBackend
from bakeline_sandbox.backends.requirements import nspawn_problems
from bakeline_sandbox.errors import HostError, InstanceError
from bakeline_sandbox.host.mounts import remove_tree
from bakeline_sandbox.host.processes import is_alive
from bakeline_sandbox.instance_backend import ExitReason, FirewallRule
from bakeline_sandbox.router import network
from bakeline_sandbox.router.addressing import METADATA_ADDRESS
from bakeline_sandbox.vendor_roots import VendorRoots

PROBLEMS = nspawn_problems(STATE_DIR)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(PROBLEMS), reason="; ".join(problem.cause for problem in PROBLEMS)),
]
RELEASES = {"debian-12": "bookworm", "debian-13": "trixie"}
METADATA_URL = f"http://{METADATA_ADDRESS}/latest"
TTL = "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60'"
GET_TOKEN = f"T=$(curl -sf -X PUT {TTL} {METADATA_URL}/api/token)"
WITH_TOKEN = '-H "X-aws-ec2-metadata-token: $T"'
GET_METADATA = f"{GET_TOKEN}; curl -sf {WITH_TOKEN} {METADATA_URL}"
HOST_KEY_FINGERPRINT = "sudo ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
TIMEOUT = 124  # exit code of timeout(1)


@pytest.fixture(scope="module")
def exits():
    return []


@pytest.fixture(scope="module")
def backend(exits):
    backend = NspawnBackend(STATE_DIR)
    remove_leftovers(backend, STATE_DIR)
    VendorRoots(STATE_DIR).ensure_roots()
    backend.sweep()
    before = survey_host(backend.tag)
    backend.open(lambda instance_id, reason: exits.append((instance_id, reason)))
    yield backend
    backend.close()
    assert survey_host(backend.tag) == before


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def launch(backend, key):
    launched = []

    def launch(image="debian-12", number=None, key=key, **fields):
        number = number or 10 + len(launched)
        layers = (image,) if isinstance(image, str) else image
        spec = create_spec(number, layers, private_address(backend, number), key, **fields)
        launched.append(spec.instance_id)
        backend.launch(spec)
        key.wait_for_ssh(spec.private_ip)
        return spec

    yield launch
    for instance_id in launched:
        backend.terminate(instance_id)


@pytest.mark.parametrize("image", RELEASES)
def test_boot_runs_cloud_init_and_user_data(launch, key, image):
    user_data = b"#!/bin/sh\necho from-user-data > /root/output\n"
    spec = launch(image, user_data=user_data, http_tokens_required=True)
    host = spec.private_ip
    assert key.output(host, "cloud-init status --wait").strip().endswith("done")
    assert key.output(host, "sudo cat /root/output") == "from-user-data\n"
    assert f"VERSION_CODENAME={RELEASES[image]}" in key.output(host, "cat /etc/os-release")
    assert key.output(host, "hostname").strip() == f"ip-{host.replace('.', '-')}"
    assert key.output(host, "cat ~/.ssh/authorized_keys").strip() == key.public.strip()
    assert key.output(host, "systemctl is-system-running --wait").strip() == "running"
    assert key.output(host, "cloud-init query instance_id").strip() == spec.instance_id
    assert key.output(host, "cloud-init query v1.cloud_name").strip() == "aws"


@pytest.mark.parametrize("image", RELEASES)
def test_cloud_config_is_applied(launch, key, image):
    user_data = (
        b"#cloud-config\n"
        b"write_files:\n- {path: /opt/written, content: 'x'}\nruncmd:\n- touch /opt/ran\n"
    )
    spec = launch(image, user_data=user_data)
    check = "cloud-init status --wait && test -e /opt/written -a -e /opt/ran"
    key.output(spec.private_ip, check)


def test_instances_launch_in_parallel(backend, key, launch):
    with ThreadPoolExecutor(2) as pool:
        arguments = [("debian-12", 20), ("debian-13", 21)]
        first, second = pool.map(lambda args: launch(*args), arguments)
    for command in ("cat /etc/machine-id", HOST_KEY_FINGERPRINT):
        outputs = {key.output(spec.private_ip, command) for spec in (first, second)}
        assert len(outputs) == 2, command
    probe = f"timeout 2 bash -c '</dev/tcp/{second.private_ip}/22'"
    assert key.ssh(first.private_ip, probe).returncode == 0


def test_disk_survives_stop_and_reboot(backend, key, launch, exits):
    spec = launch()
    host, instance_id = spec.private_ip, spec.instance_id
    machine_id = key.output(host, "cat /etc/machine-id").strip()
    key.output(host, "echo kept > ~/note; echo kept > /tmp/note; sync")
    backend.stop(instance_id)
    assert key.ssh(host, "true").returncode
    backend.start(instance_id)
    key.wait_for_ssh(host)
    assert key.output(host, "cat ~/note; cat /etc/machine-id").split() == ["kept", machine_id]
    key.wait_for_reboot(host, lambda: key.ssh(host, "sudo reboot"))
    key.wait_for_reboot(host, lambda: backend.reboot(instance_id))
    assert not exits
    key.ssh(host, "sudo poweroff")
    wait_until(lambda: exits == [(instance_id, ExitReason.POWERED_OFF)])
    exits.clear()
    backend.start(instance_id)
    key.wait_for_ssh(host)


def test_frozen_disk_becomes_layer(backend, key, launch, tmp_path):
    builder = launch("debian-13")
    change = f"echo new | sudo tee /opt/new; sudo rm -r /usr/share/doc; {REMOVE_KEYS}"
    key.output(builder.private_ip, change)
    with pytest.raises(InstanceError, match="stop it"):
        backend.freeze_disk(builder.instance_id, "snap-0a")
    backend.stop(builder.instance_id)
    layers = backend.freeze_disk(builder.instance_id, "snap-0a")
    assert layers == ("snap-0a", "debian-13")
    backend.start(builder.instance_id)
    other = Key(tmp_path, "other")
    second = launch(layers, 30, other)
    host = second.private_ip
    assert other.output(host, "cat /opt/new; ls -d /usr/share/doc || true") == "new\n"
    assert other.output(host, "cat ~/.ssh/authorized_keys").strip() == other.public.strip()
    assert key.ssh(host, "true").returncode, "the builder's key opens the new instance"
    other.output(host, "sudo mkdir /usr/share/doc; sudo rm /opt/new")
    backend.stop(second.instance_id)
    layers = backend.freeze_disk(second.instance_id, "snap-0b")
    third = launch(layers, 31, other)
    count_lines = "ls /opt /usr/share/doc | grep -c . || true"
    assert other.output(third.private_ip, count_lines) == "2\n"  # the headings of ls
    for spec in (builder, second, third):
        backend.terminate(spec.instance_id)
    backend.delete_layer("snap-0b")
    backend.delete_layer("snap-0a")
    with pytest.raises(InstanceError, match="does not exist"):
        launch(("snap-0a", "debian-13"), 32)


def test_overlay_mounts_many_layers(backend):
    names = [f"snap-{number:017x}" for number in range(150)]
    for name in names:
        (backend.layers_dir / name).mkdir()
    folder = backend.instances_dir / "i-deep"
    try:
        overlay.mount_disk("deep", folder, backend.layers_dir, [*names, "debian-12"])
        assert (folder / "root/etc/debian_version").is_file()
    finally:
        overlay.unmount_disk(folder / "root")
        remove_tree(folder)
        for name in names:
            backend.delete_layer(name)


def test_security_groups_are_enforced(backend, key, launch):
    public_ip = backend.public_cidr.replace(".0/24", ".7")
    spec, peer = launch(public_ip=public_ip), launch("debian-13", 22)
    assert key.output(public_ip, "hostname") == key.output(spec.private_ip, "hostname")
    serve = (
        "sudo systemd-run -q python3 -m http.server 8080; "
        "for i in $(seq 300); do curl -so /dev/null localhost:8080 && break; sleep 0.1; done"
    )
    key.output(spec.private_ip, serve)
    probe = f"timeout 2 bash -c '</dev/tcp/{spec.private_ip}/8080'"

    def probe_from_host_and_peer():
        host = subprocess.run(["bash", "-c", probe], capture_output=True, check=False)
        return host.returncode, key.ssh(peer.private_ip, probe).returncode

    def set_rules(target, *rules):
        backend.set_firewall_rules(target.instance_id, list(rules))

    assert probe_from_host_and_peer() == (TIMEOUT, TIMEOUT)
    from_peer = FirewallRule(False, "tcp", 8000, 8100, f"{peer.private_ip}/32")
    set_rules(spec, SSH_RULE, EGRESS_RULE, from_peer)
    assert probe_from_host_and_peer() == (TIMEOUT, 0)
    from_everywhere = FirewallRule(False, "-1", None, None, "0.0.0.0/0")
    set_rules(spec, SSH_RULE, EGRESS_RULE, from_everywhere)
    assert probe_from_host_and_peer() == (0, 0)
    set_rules(peer, SSH_RULE)
    assert probe_from_host_and_peer() == (0, TIMEOUT)
    set_rules(spec, EGRESS_RULE)
    assert key.ssh(spec.private_ip, "true").returncode == 255


def test_spoofed_packets_and_host_access_are_dropped(backend, key, launch):
    spec, victim = launch(http_tokens_required=False), launch("debian-13", 23)
    spoof = (
        f"sudo ip addr add {victim.private_ip}/32 dev ens5; "
        f"curl -s -m 2 --interface {victim.private_ip} {METADATA_URL}/meta-data/instance-id"
    )
    assert key.ssh(spec.private_ip, spoof).stdout == ""
    command = [sys.executable, "-m", "http.server", "18098", "--bind", "0.0.0.0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:

        def is_reachable_on_host():
            curl = ["curl", "-so", "/dev/null", "http://127.0.0.1:18098"]
            return subprocess.run(curl, check=False).returncode == 0

        try:
            wait_until(is_reachable_on_host)
            request = f"curl -s -m 2 http://{backend.network.host_address}:18098"
            assert key.ssh(spec.private_ip, request).returncode == 28  # curl: timeout
        finally:
            server.terminate()


def test_metadata_service_requires_tokens(launch, key):
    spec = launch(user_data=b"plain text", http_tokens_required=True)
    host = spec.private_ip
    assert key.output(host, f"{GET_METADATA}/meta-data/instance-id") == spec.instance_id
    public_key = key.output(host, f"{GET_METADATA}/meta-data/public-keys/0/openssh-key")
    assert public_key == key.public.strip()
    assert key.output(host, f"{GET_METADATA}/meta-data/placement/region") == "eu-central-1"
    assert key.output(host, f"{GET_METADATA}/user-data") == "plain text"
    document = key.output(host, f"{GET_METADATA}/dynamic/instance-identity/document")
    assert f'"{spec.instance_id}"' in document
    status = "curl -s -o /dev/null -w '%{http_code}'"
    assert key.output(host, f"{status} {METADATA_URL}/meta-data/ami-id") == "401"
    assert key.output(host, f"{status} -X PUT {METADATA_URL}/api/token") == "400"
    missing = f"{GET_TOKEN}; {status} {WITH_TOKEN} {METADATA_URL}/meta-data/public-ipv4"
    assert key.output(host, missing) == "404"
    forwarded = f"{status} -X PUT -H 'X-Forwarded-For: 1.2.3.4' {TTL} {METADATA_URL}/api/token"
    assert key.output(host, forwarded) == "403"
    spec.http_tokens_required = False
    assert key.output(host, f"curl -sf {METADATA_URL}/meta-data/ami-id") == spec.image_id


@pytest.mark.parametrize("image", RELEASES)
def test_packages_install_and_names_resolve(launch, key, image):
    host = launch(image).private_ip
    assert "Err:" not in key.output(host, "sudo apt-get update 2>&1")
    install = "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y"
    key.output(host, f"{install} systemd-resolved libnss-resolve 2>&1")
    print_mirror = (
        "grep -ho 'http[^ ]*' /etc/apt/sources.list | head -n 1 | cut -d/ -f3 | cut -d: -f1"
    )
    mirror = key.output(host, print_mirror).strip()
    assert key.output(host, f"test -L /etc/resolv.conf && getent hosts {mirror}")
    key.wait_for_reboot(host, lambda: key.ssh(host, "sudo reboot"))
    assert key.output(host, f"getent hosts {mirror}")
    assert key.ssh(host, "getent hosts does-not-exist.invalid").returncode == 2


def test_failed_launch_leaves_nothing(backend, key):
    before, address = survey_host(backend.tag), private_address(backend, 99)
    with pytest.raises(InstanceError, match="does not exist"):
        backend.launch(create_spec(99, ("snap-none",), address, key))
    with pytest.raises(InstanceError, match="public_cidr"):
        spec = create_spec(99, ("debian-12",), address, key, public_ip="192.0.2.250")
        backend.launch(spec)
    assert survey_host(backend.tag) == before


def test_killed_nspawn_ends_the_instance(backend, key, launch, exits):
    spec = launch()
    process = backend.instances[spec.instance_id].process
    leader = backend.leader_pid(process)
    process.kill()
    wait_until(lambda: exits == [(spec.instance_id, ExitReason.CRASHED)])
    exits.clear()
    assert not is_alive(leader)
    backend.start(spec.instance_id)
    key.wait_for_ssh(spec.private_ip)


def test_two_backends_use_different_ranges(backend, tmp_path):
    other = NspawnBackend(tmp_path)
    other.sweep()
    try:
        other.open(print)
        assert other.public_cidr != backend.public_cidr
        assert other.vpc_cidr != backend.vpc_cidr
    finally:
        other.close()


def test_open_fails_without_free_range(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "PUBLIC_RANGES", (backend.public_cidr,))
    other = NspawnBackend(tmp_path)
    with pytest.raises(HostError, match="remove one of these routes"):
        other.open(print)
    other.sweep()


def test_sweep_removes_killed_server_and_instances(tmp_path):
    state_dir = STATE_DIR.with_name(STATE_DIR.name + "-killed")
    (state_dir / "run").mkdir(parents=True, exist_ok=True)
    if not (state_dir / "cache").exists():
        (state_dir / "cache").symlink_to(STATE_DIR / "cache")
    backend = NspawnBackend(state_dir)
    backend.sweep()
    before = survey_host(backend.tag)
    script = f"""
        import sys, time
        from pathlib import Path
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parent.parent)]!r}
        from real_instances import Key, create_spec, private_address
        from bakeline_sandbox.backends.nspawn import NspawnBackend
        from bakeline_sandbox.vendor_roots import VendorRoots
        backend = NspawnBackend(Path({str(state_dir)!r}))
        key = Key(Path({str(tmp_path)!r}), "inner")
        VendorRoots(Path({str(state_dir)!r})).ensure_roots()
        backend.open(print)
        for number in (11, 12):
            address = private_address(backend, number)
            backend.launch(create_spec(number, ("debian-12",), address, key))
            key.wait_for_ssh(address)
        backend.instances["i-0000000000000000c"].process.kill()
        print("ready", flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        assert any(line == "ready\n" for line in server.stdout), "the inner server failed"
        os.kill(server.pid, signal.SIGKILL)
    assert survey_host(backend.tag) != before
    NspawnBackend(state_dir).sweep()
    assert survey_host(backend.tag) == before
    subprocess.run(["rm", "-rf", "--one-file-system", str(state_dir)], check=True)
