"""Implements the instance metadata service (IMDSv1 and IMDSv2).

The source address of a request identifies the instance.
"""

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

from ..instance_backend import InstanceSpec
from .addressing import mac_address

Tree = Mapping[str, Union[str, "Tree"]]
MAX_TTL_SECONDS = 21600
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
VERSIONS = b"2009-04-04\n2016-09-02\n2018-09-24\n2021-03-23\nlatest"


def lookup(spec: InstanceSpec, path: str) -> bytes | None:
    """Returns the body for a path such as `/latest/meta-data/ami-id`, or None for EC2's 404."""
    version, _, rest = path.strip("/").partition("/")
    if not version:
        return VERSIONS
    if version != "latest" and not version[:1].isdigit():
        return None
    if rest == "user-data":
        return spec.user_data or None
    if rest == "meta-data/public-keys":  # lists the key's name; the folder below has its number
        return f"0={spec.key_name or 'key'}".encode() if spec.public_key else None
    node: str | Tree | None = _document_tree(spec)
    for part in filter(None, rest.split("/")):
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, Mapping):
        entries = node.items()
        names = [f"{name}/" if isinstance(child, Mapping) else name for name, child in entries]
        return "\n".join(names).encode()
    return node.encode() if node is not None else None


def _document_tree(spec: InstanceSpec) -> Tree:
    tree: dict[str, str | Tree] = {
        "meta-data": _metadata_tree(spec),
        "dynamic": {"instance-identity": {"document": _identity_document(spec)}},
    }
    return tree | ({"user-data": ""} if spec.user_data else {})


def _metadata_tree(spec: InstanceSpec) -> Tree:
    mac = mac_address(spec)
    hostname = f"ip-{spec.private_ip.replace('.', '-')}.ec2.internal"
    interface = {
        "mac": mac,
        "device-number": "0",
        "local-ipv4s": spec.private_ip,
        "owner-id": spec.account,
    }
    tree: dict[str, str | Tree] = {
        "ami-id": spec.image_id,
        "hostname": hostname,
        "instance-id": spec.instance_id,
        "instance-type": spec.instance_type,
        "local-hostname": hostname,
        "local-ipv4": spec.private_ip,
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: interface}}},
        "placement": {"availability-zone": spec.zone, "region": spec.region},
        "reservation-id": "r-" + spec.instance_id.removeprefix("i-"),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if spec.public_ip:
        tree["public-ipv4"] = interface["public-ipv4s"] = spec.public_ip
    if spec.public_key:
        tree["public-keys"] = {"0": {"openssh-key": spec.public_key.strip()}}
    return tree


def _identity_document(spec: InstanceSpec) -> str:
    machine = os.uname().machine
    document = {
        "accountId": spec.account,
        "architecture": {"aarch64": "arm64"}.get(machine, machine),
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


class MetadataService:
    """WSGI application; `find_instance` maps a source address to an instance."""

    def __init__(self, find_instance: Callable[[str], InstanceSpec | None]) -> None:
        self.find_instance = find_instance
        self.tokens: dict[str, tuple[str, float]] = {}  # token: instance ID and expiry

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._respond(request)
        except HTTPException as error:
            text = f"{error.code} - {error.name}\n"
            response = Response(text, status=error.code, content_type="text/plain")
        response.headers["Server"] = "EC2ws"
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        spec = self.find_instance(request.remote_addr or "")
        if spec is None or "X-Forwarded-For" in request.headers:
            raise Forbidden
        if request.method == "PUT":
            if request.path.rstrip("/") != "/latest/api/token":
                raise NotFound
            return self._create_token(spec, request.headers.get(TTL_HEADER, ""))
        self._check_token(spec, request.headers.get(TOKEN_HEADER))
        body = lookup(spec, request.path)
        if body is None:
            raise NotFound
        return Response(body, content_type="text/plain")

    def _create_token(self, spec: InstanceSpec, ttl: str) -> Response:
        if not re.fullmatch(r"[0-9]{1,5}", ttl) or not 1 <= int(ttl) <= MAX_TTL_SECONDS:
            raise BadRequest
        now, token = time.monotonic(), secrets.token_urlsafe(40)
        entries = list(self.tokens.items())
        self.tokens = {name: entry for name, entry in entries if entry[1] > now}
        self.tokens[token] = (spec.instance_id, now + int(ttl))
        return Response(token, headers={TTL_HEADER: ttl}, content_type="text/plain")

    def _check_token(self, spec: InstanceSpec, token: str | None) -> None:
        owner, expiry = self.tokens.get(token or "", ("", 0.0))
        is_valid = owner == spec.instance_id and expiry > time.monotonic()
        if not is_valid and (token is not None or spec.http_tokens_required):
            raise Unauthorized
