"""Tests the parts of the instance backends that need no root rights."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bakeline_sandbox.backends.user_data import parse_host_keys, parse_parts
from bakeline_sandbox.commands import report
from bakeline_sandbox.errors import VendorRootError
from bakeline_sandbox.host import apt
from bakeline_sandbox.instance_backend import FirewallRule, InstanceSpec
from bakeline_sandbox.router import dns, metadata
from bakeline_sandbox.router.addressing import mac_address
from bakeline_sandbox.router.firewall import render_rule
from bakeline_sandbox.router.relays import TcpRelay
from bakeline_sandbox.vendor_root_files import AUTH_CONF, write_root_files
from bakeline_sandbox.vendor_roots import VendorRoots, _follow_steps

SPEC = InstanceSpec(
    instance_id="i-0123456789abcdef0",
    account="123456789012",
    region="eu-central-1",
    zone="eu-central-1a",
    image_id="ami-1",
    instance_type="t3.micro",
    private_ip="10.90.0.5",
    public_ip=None,
    layers=("debian-12",),
    key_name="my-key",
    public_key="ssh-ed25519 AAAA comment",
    user_data=b"data",
)


def read_metadata(path: str) -> str | None:
    body = metadata.lookup(SPEC, path)
    return body.decode() if body is not None else None


def test_metadata_has_folders_and_values() -> None:
    interface = f"/latest/meta-data/network/interfaces/macs/{mac_address(SPEC)}"
    listing = read_metadata("/latest/meta-data/")
    assert listing is not None and "public-keys/" in listing.splitlines()
    for path, expected in {
        "/2009-04-04/meta-data/instance-id": SPEC.instance_id,
        "/latest/meta-data/public-keys/": "0=my-key",
        "/latest/meta-data/public-keys/0/": "openssh-key",
        "/latest/meta-data/public-keys/0/openssh-key": "ssh-ed25519 AAAA comment",
        "/latest/meta-data/local-hostname": "ip-10-90-0-5.ec2.internal",
        f"{interface}/local-ipv4s": "10.90.0.5",
        "/latest/user-data": "data",
        "/latest": "meta-data/\ndynamic/\nuser-data",
        "/latest/meta-data/public-ipv4": None,
        "/latest/meta-data/iam/": None,
        "/nonsense": None,
        "/latest/meta-data/ami-id/x": None,
    }.items():
        assert read_metadata(path) == expected, path


MULTIPART = b"""Content-Type: multipart/mixed; boundary="=b="
MIME-Version: 1.0

--=b=
Content-Type: text/cloud-config; charset="us-ascii"

#cloud-config
{"ssh_keys": {"ed25519_private": "secret\\n", "ed25519_public": "ssh-ed25519 AAAA"}}

--=b=
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/sh
true

--=b=--
"""
SCRIPT = b"#!/bin/sh\n"


def test_user_data_is_parsed_in_all_formats() -> None:
    parts = dict(parse_parts(MULTIPART))
    assert list(parts) == ["text/cloud-config", "text/x-shellscript"]
    assert parts["text/x-shellscript"].startswith(b"#!/bin/sh\ntrue\n")
    assert parse_host_keys(MULTIPART) == {
        "ssh_host_ed25519_key": "secret\n",
        "ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA",
    }
    assert parse_parts(SCRIPT) == [("text/x-shellscript", SCRIPT)]
    assert not parse_host_keys(SCRIPT)
    assert parse_parts(b"words") == [("text/plain", b"words")]
    assert parse_parts(b"") == []
    assert not parse_host_keys(b"#cloud-config\nruncmd: [touch /x]\n")


def test_apt_config_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        "apt-get": "'http://m/debian/dists/bookworm/InRelease' m 0\n"
        "'http://m/debian/dists/bookworm/main/Packages.xz' p 0\n"
        "'http://m/debian/dists/bookworm-updates/InRelease' u 0\n"
        "'http://x/y/dists/other/InRelease' o 0\n",
        "apt-config": 'Acquire::Check-Date "false";\n'
        'Acquire::http::Proxy "http://p:3142";\nAPT::Other "1";\n',
    }
    monkeypatch.setattr(apt, "_command_output", lambda *command: outputs[command[0]])
    monkeypatch.setattr(apt, "_codename", lambda: "bookworm")
    config = apt.detect_apt_config()
    assert config.mirrors == (("http://m/debian", ""), ("http://m/debian", "-updates"))
    assert dict(config.options)["Acquire::Check-Date"] == "false"
    assert dict(config.options)["Acquire::http::Proxy"] == "http://p:3142"
    monkeypatch.setattr(apt, "_codename", lambda: "none")
    assert apt.detect_apt_config().mirrors == apt.DEFAULT_MIRRORS


def test_loopback_services_are_reached_through_the_relay() -> None:
    config = apt.AptConfig(
        (("http://localhost/debian", ""), ("http://a:b%40@m/security", "-security")),
        (
            ("Acquire::http::Proxy", "http://u:p@127.0.0.1:3142/"),
            ("Acquire::Check-Date", "false"),
        ),
    )
    assert config.loopback_endpoints() == (("127.0.0.1", 3142), ("localhost", 80))
    assert config.sources("trixie", inside=True) == [
        f"deb [signed-by={apt.KEYRING}] http://169.254.169.253:80/debian trixie main",
        f"deb [signed-by={apt.KEYRING}] http://m/security trixie-security main",
    ]
    assert config.sources("trixie", inside=False)[0].split()[2] == "http://localhost/debian"
    assert config.apt_conf(inside=True) == [
        'Acquire::http::Proxy "http://169.254.169.253:3142/";',
        'Acquire::Check-Date "false";',
    ]
    assert config.auth_conf() == [
        "machine http://m/security login a password b@",
        "machine http://169.254.169.253:3142/ login u password p",
    ]


def dns_query(name: str, record_type: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
    return header + labels + struct.pack("!BHH", 0, record_type, 1)


def test_dns_answers_names_of_the_hosts_file(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = "127.0.0.1 localhost own\n192.0.2.9 Mirror.example mirror # note\n"
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_options: hosts)
    answer = dns.answer_from_hosts_file(dns_query("MIRROR.example", dns.A_RECORD))
    assert answer and answer[:2] == b"\x12\x34"
    assert answer.endswith(socket.inet_aton("192.0.2.9"))
    empty = dns.answer_from_hosts_file(dns_query("mirror.example", dns.AAAA_RECORD))
    assert empty and struct.unpack_from("!H", empty, 6) == (0,)
    assert dns.answer_from_hosts_file(dns_query("own", dns.A_RECORD)) is None
    assert dns.answer_from_hosts_file(b"\0" * 12) is None


def test_relay_forwards_both_directions() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        TcpRelay(
            ("127.0.0.1", 0), lambda: socket.create_connection(service.getsockname())
        ) as relay,
    ):
        service.settimeout(30)
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        with socket.create_connection(relay.server_address) as client:
            upstream, _ = service.accept()
            with upstream:
                client.sendall(b"ping")
                assert upstream.recv(4) == b"ping"
                upstream.sendall(b"pong")
                upstream.shutdown(socket.SHUT_WR)
                assert client.makefile("rb").read() == b"pong"
        relay.shutdown()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0"),
            "-A in-p -s 0.0.0.0/0 -p tcp --dport 22:22 -j RETURN",
        ),
        (
            FirewallRule(True, "-1", None, None, "10.0.0.0/8"),
            "-A out-p -d 10.0.0.0/8 -j RETURN",
        ),
        (
            FirewallRule(True, "udp", 1, 65535, "0.0.0.0/0"),
            "-A out-p -d 0.0.0.0/0 -p udp --dport 1:65535 -j RETURN",
        ),
        (
            FirewallRule(False, "icmp", None, None, "0.0.0.0/0"),
            "-A in-p -s 0.0.0.0/0 -p icmp -j RETURN",
        ),
        (FirewallRule(False, "tcp", 22, 22, "::/0"), ""),
    ],
)
def test_firewall_rule_is_rendered(rule: FirewallRule, expected: str) -> None:
    assert render_rule("p", rule) == expected


def test_steps_of_a_long_build_are_reported_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    first = r"I: running apt-get update...\nI: downloading packages with apt...\ndone\nI: extr"
    second = r"acting archives...\n"
    script = f"printf '{first}' >> \"$0\"; sleep 1; printf '{second}' >> \"$0\"; exit 3"
    reported: list[str] = []
    process = subprocess.Popen(["sh", "-c", script, log])
    assert _follow_steps(process, log, reported.append) == 3
    assert reported == ["downloading packages with apt", "extracting archives"]


def test_progress_lines_of_threads_are_never_glued(capfd: pytest.CaptureFixture[str]) -> None:
    texts = [f"root-{number}: ready" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(report, texts))
    lines = capfd.readouterr().err.splitlines()
    assert sorted(line.split("s  ", 1)[1] for line in lines) == sorted(texts)


def test_new_version_of_vendor_root_has_its_serial(tmp_path: Path) -> None:
    roots = VendorRoots(tmp_path)
    cached = roots.cache_dir / "debian-12-abc/etc"
    cached.mkdir(parents=True)
    (cached / "debian_version").write_text("12\n")
    roots.layers_dir.mkdir(parents=True)
    (roots.layers_dir / "debian-12").symlink_to("../../cache/debian-12-abc")
    assert roots.create_version("debian-12", "20260101") == "debian-12-20260101"
    created = roots.layers_dir / "debian-12-20260101/etc"
    assert (created / "bakeline-vendor-serial").read_text() == "20260101\n"
    assert (created / "debian_version").read_text() == "12\n"
    assert not (cached / "bakeline-vendor-serial").exists()
    with pytest.raises(VendorRootError, match="already exists"):
        roots.create_version("debian-12", "20260101")


def test_logins_are_readable_by_root_only(tmp_path: Path) -> None:
    proxy = ("Acquire::http::Proxy", "http://user:hush@proxy:3142/")
    write_root_files(tmp_path, "bookworm", apt.AptConfig(apt.DEFAULT_MIRRORS, (proxy,)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    with_login = [path for path in files if "hush" in path.read_text()]
    assert with_login == [tmp_path / AUTH_CONF]
    assert with_login[0].stat().st_mode & 0o777 == 0o600
