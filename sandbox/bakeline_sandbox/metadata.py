"""The instance metadata service (IMDS v1 and v2); who asks is known by the source address."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Union

from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, Unauthorized
from werkzeug.wrappers import Request, Response

from .backends import InstanceSpec

Tree = Mapping[str, Union[str, "Tree"]]
MAX_TTL, TTL = 21600, "X-aws-ec2-metadata-token-ttl-seconds"
Find = Callable[[str], "tuple[InstanceSpec, str] | None"]  # source address -> instance and its hardware address


def tree(spec: InstanceSpec, mac: str) -> Tree:
    """The meta-data folder of one instance."""
    host = f"ip-{spec.private_ip.replace('.', '-')}.ec2.internal"
    network = {"mac": mac, "device-number": "0", "local-ipv4s": spec.private_ip, "owner-id": spec.account}
    found: dict[str, str | Tree] = {
        "ami-id": spec.image_id,
        "hostname": host,
        "instance-id": spec.instance_id,
        "instance-type": spec.instance_type,
        "local-hostname": host,
        "local-ipv4": spec.private_ip,
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: network}}},
        "placement": {"availability-zone": spec.zone, "region": spec.region},
        "reservation-id": "r-" + spec.instance_id.removeprefix("i-"),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if spec.public_ip:
        found["public-ipv4"] = network["public-ipv4s"] = spec.public_ip
    if spec.public_key:
        # The listing of public-keys names the key; the folder below it is called by its number.
        found["public-keys"] = {"0": {"openssh-key": spec.public_key.strip()}}
    return found


def identity(spec: InstanceSpec) -> str:
    """The instance identity document."""
    document = {
        "accountId": spec.account,
        "architecture": {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "availabilityZone": spec.zone,
        "imageId": spec.image_id,
        "instanceId": spec.instance_id,
        "instanceType": spec.instance_type,
        "pendingTime": datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z"),
        "privateIp": spec.private_ip,
        "region": spec.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)


def lookup(spec: InstanceSpec, mac: str, path: str) -> bytes | None:
    """The body for a path such as `/latest/meta-data/ami-id`, or None where EC2 answers 404."""
    version, _, rest = path.strip("/").partition("/")
    if not version:
        return b"2009-04-04\n2016-09-02\n2018-09-24\n2021-03-23\nlatest"
    if version != "latest" and not version[:1].isdigit():
        return None
    if rest == "user-data":
        return spec.user_data or None
    if rest == "meta-data/public-keys":
        return f"0={spec.key_name or 'key'}".encode() if spec.public_key else None
    folders: Tree = {
        "meta-data": tree(spec, mac),
        "dynamic": {"instance-identity": {"document": identity(spec)}},
        **({"user-data": ""} if spec.user_data else {}),
    }
    node: str | Tree | None = folders
    for part in filter(None, rest.split("/")):
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, Mapping):
        return "\n".join(f"{name}/" if isinstance(below, Mapping) else name for name, below in node.items()).encode()
    return node.encode() if node is not None else None


class Metadata:
    """The service as a WSGI application."""

    def __init__(self, find: Find) -> None:
        self.find, self.tokens = find, dict[str, tuple[str, float]]()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = Response(f"{error.code} - {error.name}\n", status=error.code, content_type="text/plain")
        response.headers["Server"] = "EC2ws"
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        found = self.find(request.remote_addr or "")
        if found is None or "X-Forwarded-For" in request.headers:
            raise Forbidden
        if request.method == "PUT":
            if request.path.rstrip("/") != "/latest/api/token":
                raise NotFound
            return self._token(found[0], request.headers.get(TTL, ""))
        token = request.headers.get("X-aws-ec2-metadata-token")
        owner, until = self.tokens.get(token or "", ("", 0.0))
        valid = owner == found[0].instance_id and until > time.monotonic()
        if not valid and (token is not None or found[0].http_tokens_required):
            raise Unauthorized
        body = lookup(*found, request.path)
        if body is None:
            raise NotFound
        return Response(body, content_type="text/plain")

    def _token(self, spec: InstanceSpec, ttl: str) -> Response:
        """A token that holds for one instance and a time."""
        if not re.fullmatch(r"[0-9]{1,5}", ttl) or not 1 <= int(ttl) <= MAX_TTL:
            raise BadRequest
        now, made = time.monotonic(), secrets.token_urlsafe(40)
        self.tokens = {name: entry for name, entry in list(self.tokens.items()) if entry[1] > now}
        self.tokens[made] = (spec.instance_id, now + int(ttl))
        return Response(made, headers={TTL: ttl}, content_type="text/plain")
