"""Writes catalogs with variables, and compares what `show image` prints with the reference."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import variables_reference as reference
from support.run import BAKELINE, CompletedRun, run

Map = dict[str, Any]
HELPERS = {
    "ansible/site.yaml": "- hosts: all\n  tasks: []\n",
    "scripts/a.sh": "#!/bin/sh\nset -eu\n",
    "files/a.conf": "a\n",
}


def write_catalog(folder: Path, shared: Map, files: dict[str, Map | str]) -> None:
    """Writes a catalog with variables of bakeline.yaml. The keys of `files` are paths below images/ without `.yaml`."""
    texts = {f"images/{name}.yaml": file for name, file in files.items()} | {
        "bakeline.yaml": {"name": "acme", "regions": ["eu-west-1"]} | ({"variables": shared} if shared else {})
    }
    for path, content in (HELPERS | texts).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        # YAML has no surrogate pairs, so characters are not escaped.
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (folder / path).write_text(text)


def bakeline(folder: Path, *words: str) -> CompletedRun:
    return run([BAKELINE, "-C", str(folder), *words], folder, os.environ)


def assert_valid(folder: Path, images: int) -> None:
    """Asserts that the catalog is valid and has this number of images."""
    done = bakeline(folder, "validate")
    assert done.code == 0 and re.search(rf"\b{images} images?\b", done.out + done.err), done


def show(folder: Path, image: str) -> Map:
    done = bakeline(folder, "show", "image", image, "--json")
    assert done.code == 0, done
    return json.loads(done.out)


def plain(shown: Map) -> Map:
    """Returns values without their origins."""
    return {key: its["value"] for key, its in shown.items()}


def differences(folder: Path, expected: dict[str, reference.Image]) -> list[str]:
    """Compares all images of a catalog with their expected expansion."""
    done = bakeline(folder, "validate")
    if done.code != 0 or not re.search(rf"\b{len(expected)} images?\b", done.out + done.err):
        return [f"not {len(expected)} valid images: {done}"]
    found = []
    for name, image in expected.items():
        done = bakeline(folder, "show", "image", name, "--json")
        if done.code != 0:
            found.append(f"{name} cannot be shown: {done}")
            continue
        shown = json.loads(done.out)
        ours = plain(shown["values"])
        pairs = {f"value of {key}": (ours.get(key), value) for key, value in image.values.items()}
        pairs |= {
            "variables": (plain(shown["variables"]), image.variables),
            "lineage": (shown["lineage"], image.lineage),
        }
        for what, (its, wanted) in pairs.items():
            if not reference.is_same(its, wanted):
                found.append(f"{what} of {name}: bakeline {its}, reference {wanted}")
    return found
