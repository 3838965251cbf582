"""Publishes small artifacts to a stand-in for the API of GitLab and to a real container registry."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPO

TOKEN = "glcbt-secret"
VERSION = re.findall(r'^version = "(.*)"$', (REPO / "Cargo.toml").read_text(), re.MULTILINE)[0]


class GitLab(http.server.ThreadingHTTPServer):
    """Accepts uploads and releases with the token of the job, and records them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.received: dict[str, bytes] = {}


class Request(http.server.BaseHTTPRequestHandler):
    """A request to GitLab."""

    server: GitLab

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        allowed = self.headers["JOB-TOKEN"] == TOKEN
        if allowed:
            self.server.received[f"{self.command} {self.path}"] = body
        self.send_response(201 if allowed else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    server = GitLab()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Returns the address of a container registry without TLS."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config = tmp_path / "registry.json"
    config.write_text(json.dumps({"version": "0.1", "storage": storage, "http": {"addr": address}}))
    insecure = f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    settings = tmp_path / ".config/containers/registries.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(insecure)
    with subprocess.Popen(["docker-registry", "serve", config], stderr=subprocess.DEVNULL) as process:
        wait_for_port(address)
        yield address
        process.terminate()


def wait_for_port(address: str) -> None:
    host, port = address.split(":")
    for _ in range(600):
        with socket.socket() as attempt:
            attempt.settimeout(0.1)
            if attempt.connect_ex((host, int(port))) == 0:
                return
        threading.Event().wait(0.1)
    pytest.fail(f"no registry at {address}")


def small_artifacts(target: Path) -> dict[str, bytes]:
    """Writes artifacts with little content, and their checksums, and returns their contents."""
    dist = target / "dist"
    dist.mkdir(parents=True)
    (dist / f"bakeline_{VERSION}_amd64.deb").write_bytes(b"package")
    layer = target / "layer.tar"
    subprocess.run(["tar", "-C", REPO, "-cf", layer, "LICENSE"], check=True)
    archive = dist / f"bakeline-{VERSION}-linux-x86_64.oci.tar"
    words = ["python3", REPO / "scripts/dist/oci.py", "--arch", "amd64", "--version", VERSION, "--output", archive]
    subprocess.run([*words, layer], check=True)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(sums))
    return {path.name: path.read_bytes() for path in dist.iterdir()}


def publish(target: Path, gitlab: GitLab, registry: str, **more: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "CARGO_TARGET_DIR": str(target),
        "CI_API_V4_URL": f"http://127.0.0.1:{gitlab.server_address[1]}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_JOB_TOKEN": TOKEN,
        "CI_COMMIT_TAG": VERSION,
        "CI_REGISTRY": registry,
        "CI_REGISTRY_IMAGE": f"{registry}/acme/bakeline",
        "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": TOKEN,
        "HOME": str(target.parent),
        **more,
    }
    script = REPO / "scripts/dist/publish.sh"
    return subprocess.run([script], env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_publish_uploads_files_image_and_release(tmp_path: Path, gitlab: GitLab, registry: str) -> None:
    contents = small_artifacts(tmp_path / "target")
    done = publish(tmp_path / "target", gitlab, registry)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    release = json.loads(gitlab.received.pop("POST /api/v4/projects/7/releases"))
    folder = f"/api/v4/projects/7/packages/generic/bakeline/{VERSION}"
    assert gitlab.received == {f"PUT {folder}/{name}": content for name, content in contents.items()}
    [section] = re.findall(rf"^## {re.escape(VERSION)} - \S+\n(.*?)(?=^## |\Z)", (REPO / "CHANGELOG.md").read_text(), re.M | re.S)
    assert release["tag_name"] == VERSION and release["description"].strip() == section.strip() != ""
    links = {link["name"]: link["url"] for link in release["assets"]["links"]}
    url = f"http://127.0.0.1:{gitlab.server_address[1]}{folder}"
    assert links == {name: f"{url}/{name}" for name in contents}
    words = ["skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/acme/bakeline:{VERSION}"]
    image = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert image["Labels"]["org.opencontainers.image.version"] == VERSION


@pytest.mark.parametrize("fault", ["other tag", "changed file", "refused token"])
def test_nothing_is_released_after_fault(tmp_path: Path, gitlab: GitLab, fault: str) -> None:
    small_artifacts(tmp_path / "target")
    variables = {}
    if fault == "other tag":
        variables["CI_COMMIT_TAG"] = "9.9.9"
    elif fault == "changed file":
        (tmp_path / f"target/dist/bakeline_{VERSION}_amd64.deb").write_bytes(b"other")
    else:
        variables["CI_JOB_TOKEN"] = "wrong"
    done = publish(tmp_path / "target", gitlab, "127.0.0.1:1", **variables)
    assert done.returncode != 0
    assert gitlab.received == {}
