"""The instance side's parts that need no root: apt sources, metadata, DNS, firewall rules, vendor roots' versions."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from bakeline_sandbox import aptsource, dns, metadata
from bakeline_sandbox.backends import FirewallRule, InstanceSpec
from bakeline_sandbox.backends.network import _rule_line
from bakeline_sandbox.backends.userdata import host_keys, parts
from bakeline_sandbox.roots import RootError, Roots

SPEC = InstanceSpec(
    "i-0123456789abcdef0", "123456789012", "eu-central-1", "eu-central-1a", "ami-1", "t3.micro", "10.90.0.5", None,
    ("debian-12",), "my-key", "ssh-ed25519 AAAA comment", b"data",
)  # fmt: skip
MAC = "02:00:00:00:00:01"


def get(path, spec=SPEC):
    body = metadata.lookup(spec, MAC, path)
    return body.decode() if body is not None else None


def test_metadata_tree():
    assert "public-keys/" in get("/latest/meta-data/").splitlines()
    assert get("/2009-04-04/meta-data/instance-id") == SPEC.instance_id
    assert get("/latest/meta-data/public-keys/") == "0=my-key"
    assert get("/latest/meta-data/public-keys/0/") == "openssh-key"
    assert get("/latest/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA comment"
    assert get("/latest/meta-data/local-hostname") == "ip-10-90-0-5.ec2.internal"
    assert get(f"/latest/meta-data/network/interfaces/macs/{MAC}/local-ipv4s") == "10.90.0.5"
    assert get("/latest/user-data") == "data"
    assert get("/latest").splitlines() == ["meta-data/", "dynamic/", "user-data"]
    for path in ("/latest/meta-data/public-ipv4", "/latest/meta-data/iam/", "/nonsense", "/latest/meta-data/ami-id/x"):
        assert get(path) is None


MIME = b"""Content-Type: multipart/mixed; boundary="=b="
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


def test_user_data_is_read_in_each_of_its_forms():
    kinds = [kind for kind, _ in parts(MIME)]
    assert kinds == ["text/cloud-config", "text/x-shellscript"]
    assert dict(parts(MIME))["text/x-shellscript"].startswith(b"#!/bin/sh\ntrue\n")
    assert host_keys(MIME) == {"ssh_host_ed25519_key": "secret\n", "ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA"}
    assert parts(b"#!/bin/sh\n") == [("text/x-shellscript", b"#!/bin/sh\n")] and not host_keys(b"#!/bin/sh\n")
    assert parts(b"words") == [("text/plain", b"words")] and parts(b"") == []
    assert not host_keys(b"#cloud-config\nruncmd: [touch /x]\n")


def test_apt_sources(monkeypatch):
    said = {
        "apt-get": "'http://m/debian/dists/bookworm/InRelease' m 0\n'http://m/debian/dists/bookworm/main/Packages.xz' p 0\n"
        "'http://m/debian/dists/bookworm-updates/InRelease' u 0\n'http://x/y/dists/other/InRelease' o 0\n",
        "apt-config": 'Acquire::Check-Date "false";\nAcquire::http::Proxy "http://p:3142";\nAPT::Other "1";\n',
    }
    monkeypatch.setattr(aptsource, "_output", lambda *command: said[command[0]])
    monkeypatch.setattr(aptsource, "_codename", lambda: "bookworm")
    found = aptsource.detect()
    assert found.mirrors == (("http://m/debian", ""), ("http://m/debian", "-updates"))
    assert dict(found.options)["Acquire::Check-Date"] == "false"
    assert dict(found.options)["Acquire::http::Proxy"] == "http://p:3142"
    monkeypatch.setattr(aptsource, "_codename", lambda: "none")
    assert aptsource.detect().mirrors == aptsource.DEFAULTS


def test_services_on_the_hosts_loopback_are_relayed():
    source = aptsource.AptSource(
        (("http://localhost/debian", ""), ("http://a:b%40@m/security", "-security")),
        (("Acquire::http::Proxy", "http://u:p@127.0.0.1:3142/"), ("Acquire::Check-Date", "false")),
    )
    assert source.endpoints() == (("127.0.0.1", 3142), ("localhost", 80))
    assert source.sources("trixie", True) == [
        f"deb [signed-by={aptsource.KEYRING}] http://169.254.169.253:80/debian trixie main",
        f"deb [signed-by={aptsource.KEYRING}] http://m/security trixie-security main",
    ]
    assert source.sources("trixie", False)[0].split()[2] == "http://localhost/debian"
    assert source.apt_conf(True) == [
        'Acquire::http::Proxy "http://169.254.169.253:3142/";',
        'Acquire::Check-Date "false";',
    ]
    assert source.logins() == [
        "machine http://m/security login a password b@",
        "machine http://169.254.169.253:3142/ login u password p",
    ]


def test_names_of_the_hosts_file(monkeypatch):
    monkeypatch.setattr(
        Path, "read_text", lambda _path, *_a, **_k: "127.0.0.1 localhost own\n192.0.2.9 Mirror.example mirror # note\n"
    )

    def query(name, kind):
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        return b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0" + labels + struct.pack("!BHH", 0, kind, 1)

    answer = dns.from_hosts(query("MIRROR.example", dns.A_RECORD))
    assert answer and answer[:2] == b"\x12\x34" and answer.endswith(socket.inet_aton("192.0.2.9"))
    empty = dns.from_hosts(query("mirror.example", dns.AAAA_RECORD))
    assert empty and struct.unpack_from("!H", empty, 6) == (0,)
    assert dns.from_hosts(query("own", dns.A_RECORD)) is None
    assert dns.from_hosts(b"\0" * 12) is None


def test_relay():
    with socket.create_server(("127.0.0.1", 0)) as service, dns.relay("127.0.0.1", 0, service.getsockname()) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        with socket.create_connection(front.server_address) as client:
            far, _ = service.accept()
            with far:
                client.sendall(b"ping")
                assert far.recv(4) == b"ping"
                far.sendall(b"pong")
                far.shutdown(socket.SHUT_WR)
                assert client.makefile("rb").read() == b"pong"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FirewallRule(False, "tcp", 22, 22, "0.0.0.0/0"), "-A in-p -s 0.0.0.0/0 -p tcp --dport 22:22 -j RETURN"),
        (FirewallRule(True, "-1", None, None, "10.0.0.0/8"), "-A out-p -d 10.0.0.0/8 -j RETURN"),
        (FirewallRule(True, "udp", 1, 65535, "0.0.0.0/0"), "-A out-p -d 0.0.0.0/0 -p udp --dport 1:65535 -j RETURN"),
        (FirewallRule(False, "icmp", None, None, "0.0.0.0/0"), "-A in-p -s 0.0.0.0/0 -p icmp -j RETURN"),
        (FirewallRule(False, "tcp", 22, 22, "::/0"), ""),
    ],
)
def test_firewall_rules(rule, expected):
    assert _rule_line("p", rule) == expected


def test_a_newer_vendor_root(tmp_path):
    roots = Roots(tmp_path)
    (roots.cache / "debian-12-abc/etc").mkdir(parents=True)
    (roots.cache / "debian-12-abc/etc/debian_version").write_text("12\n")
    roots.layers.mkdir(parents=True)
    (roots.layers / "debian-12").symlink_to("../../cache/debian-12-abc")
    assert roots.refresh("debian-12", "20260101") == "debian-12-20260101"
    newer = roots.layers / "debian-12-20260101/etc"
    assert (newer / "bakeline-vendor-serial").read_text() == "20260101\n" and (
        newer / "debian_version"
    ).read_text() == "12\n"
    assert not (roots.cache / "debian-12-abc/etc/bakeline-vendor-serial").exists()
    with pytest.raises(RootError, match="exists already"):
        roots.refresh("debian-12", "20260101")


def test_logins_are_only_for_root(tmp_path):
    from bakeline_sandbox import roots

    proxy = ("Acquire::http::Proxy", "http://user:hush@proxy:3142/")
    source = aptsource.AptSource(aptsource.DEFAULTS, (proxy,))
    roots.write_files(tmp_path, "bookworm", source)
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and "hush" in path.read_text()]
    assert holding == [tmp_path / roots.LOGINS]
    assert holding[0].stat().st_mode & 0o777 == 0o600
