#!/usr/bin/env python3
"""Writes a container image as an OCI archive from the tar archives of its layers. Equal layers give equal archives."""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
from typing import Any

TYPES = "application/vnd.oci.image"
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


class Archive:
    """An OCI archive: content under its digest, and two files that describe it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar

    def add(self, name: str, content: bytes) -> None:
        """Adds a file."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
        self.tar.addfile(entry, io.BytesIO(content))

    def add_blob(self, kind: str, content: bytes) -> dict[str, Any]:
        """Adds content and returns its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.add(f"blobs/sha256/{digest}", content)
        return {"mediaType": f"{TYPES}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        """Adds a JSON document and returns its descriptor."""
        return self.add_blob(kind, json.dumps(value, sort_keys=True).encode())


def compressed(layer: pathlib.Path) -> bytes:
    """Returns a layer in gzip format without a time."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed, layer.open("rb") as source:
        shutil.copyfileobj(source, packed)
    return out.getvalue()


def image_config(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the configuration of the image."""
    labels = {
        "org.opencontainers.image.title": "bakeline",
        "org.opencontainers.image.version": options.version,
        "org.opencontainers.image.revision": options.commit,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    digests = [f"sha256:{hashlib.sha256(layer.read_bytes()).hexdigest()}" for layer in options.layers]
    return {
        "created": datetime.datetime.fromtimestamp(EPOCH, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "architecture": options.arch,
        "os": "linux",
        "config": {"Entrypoint": ["bakeline"], "Cmd": ["help"], "Env": [f"PATH={path}"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": digests},
    }


def write_archive(options: argparse.Namespace) -> None:
    """Writes layers, configuration, manifest and index."""
    with tarfile.open(options.output, "w", format=tarfile.USTAR_FORMAT) as tar:
        archive = Archive(tar)
        layers = [archive.add_blob("layer.v1.tar+gzip", compressed(layer)) for layer in options.layers]
        config = archive.add_json("config.v1+json", image_config(options))
        manifest = archive.add_json(
            "manifest.v1+json",
            {"schemaVersion": 2, "mediaType": f"{TYPES}.manifest.v1+json", "config": config, "layers": layers},
        )
        manifest["platform"] = {"architecture": options.arch, "os": "linux"}
        manifest["annotations"] = {"org.opencontainers.image.ref.name": options.version}
        index = {"schemaVersion": 2, "mediaType": f"{TYPES}.index.v1+json", "manifests": [manifest]}
        archive.add("index.json", json.dumps(index, sort_keys=True).encode())
        archive.add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def main() -> None:
    """Reads the command line and writes the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", default="")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("layers", nargs="+", type=pathlib.Path)
    write_archive(parser.parse_args())


if __name__ == "__main__":
    main()
