"""Real instances by systemd-nspawn: boot, cloud-init, network, security groups, disks, and what is left afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from booted import KEY_RESET, OUT_RULE, SSH_RULE, STORE, Key, address, inventory, spec, until

from bakeline_sandbox.backends import Ended, FirewallRule, network, nspawn, overlay
from bakeline_sandbox.backends.network import METADATA
from bakeline_sandbox.backends.system import BackendError, alive, remove_tree
from bakeline_sandbox.roots import Roots

PROBLEMS = nspawn.problems(STORE)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(PROBLEMS), reason="; ".join(problem.cause for problem in PROBLEMS)),
]
DEBIANS = {"debian-12": "bookworm", "debian-13": "trixie"}
TOKEN = f"T=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://{METADATA}/latest/api/token)"
GET = f'{TOKEN}; curl -sf -H "X-aws-ec2-metadata-token: $T" http://{METADATA}/latest'


@pytest.fixture(scope="module")
def ended():
    return []


@pytest.fixture(scope="module")
def backend(ended):
    Roots(STORE).ensure()
    made = nspawn.NspawnBackend(STORE)
    made.sweep()
    before = inventory(made.tag)
    made.open(lambda instance, how: ended.append((instance, how)))
    yield made
    made.close()
    assert inventory(made.tag) == before


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def launch(backend, key):
    started = []

    def start(image="debian-12", number=None, user=key, **more):
        number = number or 10 + len(started)
        image = (image,) if isinstance(image, str) else image
        made = spec(number, image, address(backend, number), user, **more)
        started.append(made.instance_id)
        backend.launch(made)
        user.up(made.private_ip)
        return made

    yield start
    for instance_id in started:
        backend.terminate(instance_id)


@pytest.mark.parametrize("image", DEBIANS)
def test_boots_with_cloud_init_key_and_user_data(launch, key, image):
    made = launch(image, user_data=b"#!/bin/sh\necho from-user-data > /root/told\n", http_tokens_required=True)
    host = made.private_ip
    assert key.out(host, "cloud-init status --wait").strip().endswith("done")
    assert key.out(host, "sudo cat /root/told") == "from-user-data\n"
    assert f"VERSION_CODENAME={DEBIANS[image]}" in key.out(host, "cat /etc/os-release")
    assert key.out(host, "hostname").strip() == f"ip-{host.replace('.', '-')}"
    assert key.out(host, "cat ~/.ssh/authorized_keys").strip() == key.public.strip()
    assert key.out(host, "systemctl is-system-running --wait").strip() == "running"
    assert key.out(host, "cloud-init query instance_id").strip() == made.instance_id
    assert key.out(host, "cloud-init query v1.cloud_name").strip() == "aws"


@pytest.mark.parametrize("image", DEBIANS)
def test_cloud_config(launch, key, image):
    made = launch(
        image,
        user_data=b"#cloud-config\nwrite_files:\n- {path: /opt/written, content: 'x'}\nruncmd:\n- touch /opt/ran\n",
    )
    key.out(made.private_ip, "cloud-init status --wait && test -e /opt/written -a -e /opt/ran")


def test_two_at_once(backend, key, launch):
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda args: launch(*args), [("debian-12", 20), ("debian-13", 21)])
    assert key.out(one.private_ip, "cat /etc/machine-id") != key.out(two.private_ip, "cat /etc/machine-id")
    assert key.out(one.private_ip, "sudo ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub") != key.out(
        two.private_ip, "sudo ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )
    assert key.ssh(one.private_ip, f"timeout 2 bash -c '</dev/tcp/{two.private_ip}/22'").returncode == 0


def test_stop_start_reboot_poweroff(backend, key, launch, ended):
    made = launch()
    host, instance = made.private_ip, made.instance_id
    machine = key.out(host, "cat /etc/machine-id").strip()
    key.out(host, "echo kept > ~/note; echo kept > /tmp/note; sync")
    backend.stop(instance)
    assert key.ssh(host, "true").returncode
    backend.start(instance)
    key.up(host)
    assert key.out(host, "cat ~/note; cat /etc/machine-id").split() == ["kept", machine]
    key.reboots(host, lambda: key.ssh(host, "sudo reboot"))
    key.reboots(host, lambda: backend.reboot(instance))
    assert not ended
    key.ssh(host, "sudo poweroff")
    until(lambda: ended == [(instance, Ended.POWERED_OFF)])
    ended.clear()
    backend.start(instance)
    key.up(host)


def test_layers(backend, key, launch, tmp_path):
    made = launch("debian-13")
    key.out(made.private_ip, f"echo new | sudo tee /opt/new; sudo rm -r /usr/share/doc; {KEY_RESET}")
    with pytest.raises(BackendError, match="stop it"):
        backend.freeze(made.instance_id, "snap-0a")
    backend.stop(made.instance_id)
    layers = backend.freeze(made.instance_id, "snap-0a")
    assert layers == ("snap-0a", "debian-13")
    backend.start(made.instance_id)
    other = Key(tmp_path, "other")
    second = launch(layers, 30, other)
    assert other.out(second.private_ip, "cat /opt/new; ls -d /usr/share/doc || true") == "new\n"
    assert other.out(second.private_ip, "cat ~/.ssh/authorized_keys").strip() == other.public.strip()
    assert key.ssh(second.private_ip, "true").returncode, "the builder's key still opens the new instance"
    other.out(second.private_ip, "sudo mkdir /usr/share/doc; sudo rm /opt/new")
    backend.stop(second.instance_id)
    layers = backend.freeze(second.instance_id, "snap-0b")
    third = launch(layers, 31, other)
    assert other.out(third.private_ip, "ls /opt /usr/share/doc | grep -c . || true") == "2\n"  # the two headings
    for instance in (made, second, third):
        backend.terminate(instance.instance_id)
    backend.drop_layer("snap-0b")
    backend.drop_layer("snap-0a")
    with pytest.raises(BackendError, match="not in the store"):
        launch(("snap-0a", "debian-13"), 32)


def test_many_layers(backend):
    names = [f"snap-{number:017x}" for number in range(150)]
    for name in names:
        (backend.layers_dir / name).mkdir()
    folder = backend.instances_dir / "i-deep"
    try:
        overlay.mount("deep", folder, backend.layers_dir, [*names, "debian-12"])
        assert (folder / "root/etc/debian_version").is_file()
    finally:
        overlay.unmount(folder / "root")
        remove_tree(folder)
        for name in names:
            backend.drop_layer(name)


def test_security_groups(backend, key, launch):
    public = backend.public_cidr.replace(".0/24", ".7")
    made, peer = launch(public_ip=public), launch("debian-13", 22)
    assert key.out(public, "hostname") == key.out(made.private_ip, "hostname")
    key.out(
        made.private_ip,
        "sudo systemd-run -q python3 -m http.server 8080; for i in $(seq 300); do curl -so /dev/null localhost:8080 && break; sleep 0.1; done",
    )
    probe = f"timeout 2 bash -c '</dev/tcp/{made.private_ip}/8080'"

    def reach():
        here = subprocess.run(["bash", "-c", probe], capture_output=True, check=False).returncode
        return here, key.ssh(peer.private_ip, probe).returncode

    assert reach() == (124, 124)
    backend.firewall(
        made.instance_id, [SSH_RULE, OUT_RULE, FirewallRule(False, "tcp", 8000, 8100, f"{peer.private_ip}/32")]
    )
    assert reach() == (124, 0)
    backend.firewall(made.instance_id, [SSH_RULE, OUT_RULE, FirewallRule(False, "-1", None, None, "0.0.0.0/0")])
    assert reach() == (0, 0)
    backend.firewall(peer.instance_id, [SSH_RULE])
    assert reach() == (0, 124)
    backend.firewall(made.instance_id, [OUT_RULE])
    assert key.ssh(made.private_ip, "true").returncode == 255


def test_spoofing_and_host(backend, key, launch):
    made, victim = launch(http_tokens_required=False), launch("debian-13", 23)
    spoof = f"sudo ip addr add {victim.private_ip}/32 dev ens5; curl -s -m 2 --interface {victim.private_ip} http://{METADATA}/latest/meta-data/instance-id"
    assert key.ssh(made.private_ip, spoof).stdout == ""
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "18098", "--bind", "0.0.0.0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            until(
                lambda: (
                    subprocess.run(["curl", "-so", "/dev/null", "http://127.0.0.1:18098"], check=False).returncode == 0
                )
            )
            assert key.ssh(made.private_ip, f"curl -s -m 2 http://{backend.network.host_end}:18098").returncode == 28
        finally:
            server.terminate()


def test_metadata(launch, key):
    made = launch(user_data=b"plain text", http_tokens_required=True)
    host, base = made.private_ip, f"http://{METADATA}/latest"
    assert key.out(host, f"{GET}/meta-data/instance-id") == made.instance_id
    assert key.out(host, f"{GET}/meta-data/public-keys/0/openssh-key") == key.public.strip()
    assert key.out(host, f"{GET}/meta-data/placement/region") == "eu-central-1"
    assert key.out(host, f"{GET}/user-data") == "plain text"
    assert f'"{made.instance_id}"' in key.out(host, f"{GET}/dynamic/instance-identity/document")
    code = "curl -s -o /dev/null -w '%{http_code}'"
    assert key.out(host, f"{code} {base}/meta-data/ami-id") == "401"
    assert key.out(host, f"{code} -X PUT {base}/api/token") == "400"
    assert key.out(host, f'{TOKEN}; {code} -H "X-aws-ec2-metadata-token: $T" {base}/meta-data/public-ipv4') == "404"
    assert (
        key.out(
            host,
            f"{code} -X PUT -H 'X-Forwarded-For: 1.2.3.4' -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {base}/api/token",
        )
        == "403"
    )
    made.http_tokens_required = False
    assert key.out(host, f"curl -sf {base}/meta-data/ami-id") == made.image_id


@pytest.mark.parametrize("image", DEBIANS)
def test_packages_and_dns(launch, key, image):
    host = launch(image).private_ip
    assert "Err:" not in key.out(host, "sudo apt-get update 2>&1")
    key.out(host, "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y systemd-resolved libnss-resolve 2>&1")
    mirror = key.out(host, "grep -ho 'http[^ ]*' /etc/apt/sources.list | head -n 1 | cut -d/ -f3 | cut -d: -f1").strip()
    assert key.out(host, f"test -L /etc/resolv.conf && getent hosts {mirror}")
    key.reboots(host, lambda: key.ssh(host, "sudo reboot"))
    assert key.out(host, f"getent hosts {mirror}")
    assert key.ssh(host, "getent hosts does-not-exist.invalid").returncode == 2


def test_a_failed_launch_leaves_nothing(backend, key):
    before = inventory(backend.tag)
    with pytest.raises(BackendError, match="not in the store"):
        backend.launch(spec(99, ("snap-none",), address(backend, 99), key))
    with pytest.raises(BackendError, match="public_cidr"):
        backend.launch(spec(99, ("debian-12",), address(backend, 99), key, public_ip="192.0.2.250"))
    assert inventory(backend.tag) == before


def test_nspawn_killed(backend, key, launch, ended):
    made = launch()
    process = backend.instances[made.instance_id].process
    leader = backend.leader(process)
    process.kill()
    until(lambda: ended == [(made.instance_id, Ended.CRASHED)])
    ended.clear()
    assert not alive(leader)
    backend.start(made.instance_id)
    key.up(made.private_ip)


def test_two_sandboxes_choose_different_ranges(backend, tmp_path):
    other = nspawn.NspawnBackend(tmp_path)
    other.sweep()
    try:
        other.open(print)
        assert other.public_cidr != backend.public_cidr
        assert other.vpc_cidr != backend.vpc_cidr
    finally:
        other.close()


def test_no_range_left_stops_open_but_not_sweep(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "PUBLIC", (backend.public_cidr,))
    other = nspawn.NspawnBackend(tmp_path)
    with pytest.raises(BackendError, match="free one of them"):
        other.open(print)
    other.sweep()


def test_sweep_after_kill(tmp_path):
    store = STORE.with_name(STORE.name + "-killed")
    (store / "run").mkdir(parents=True, exist_ok=True)
    if not (store / "cache").exists():
        (store / "cache").symlink_to(STORE / "cache")
    backend = nspawn.NspawnBackend(store)
    backend.sweep()
    before = inventory(backend.tag)
    script = f"""
        import sys, time
        from pathlib import Path
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parent.parent)]!r}
        import booted
        from bakeline_sandbox.backends import nspawn
        from bakeline_sandbox.roots import Roots
        backend, key = nspawn.NspawnBackend(Path({str(store)!r})), booted.Key(Path({str(tmp_path)!r}), "inner")
        Roots(backend.run_dir.parent).ensure()
        backend.open(print)
        for number in (11, 12):
            backend.launch(booted.spec(number, ("debian-12",), booted.address(backend, number), key))
            key.up(booted.address(backend, number))
        backend.instances["i-0000000000000000c"].process.kill()
        print("ready", flush=True)
        time.sleep(600)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        assert any(line == "ready\n" for line in server.stdout), "the inner server failed"
        os.kill(server.pid, signal.SIGKILL)
    assert inventory(backend.tag) != before
    nspawn.NspawnBackend(store).sweep()
    assert inventory(backend.tag) == before
    subprocess.run(["rm", "-rf", "--one-file-system", str(store)], check=True)
