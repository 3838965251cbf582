#!/usr/bin/env python3
"""Prints the request that creates a release on GitLab: release.py VERSION URL_OF_PACKAGES DIRECTORY."""

import json
import pathlib
import re
import sys

CHANGELOG = pathlib.Path(__file__).resolve().parents[2] / "CHANGELOG.md"


def changes(version: str) -> str:
    """Returns the section of a version in the changelog. It must have a date."""
    heading = re.compile(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    found = heading.search(CHANGELOG.read_text())
    if not found:
        sys.exit(f"CHANGELOG.md has no section `## {version} - DATE`")
    return found.group(1).strip()


def main() -> None:
    """Prints the request."""
    version, packages, directory = sys.argv[1:]
    names = sorted(path.name for path in pathlib.Path(directory).iterdir())
    links = [
        {"name": name, "url": f"{packages}/{name}", "link_type": "package", "direct_asset_path": f"/{name}"} for name in names
    ]
    release = {"tag_name": version, "name": f"bakeline {version}", "description": changes(version)}
    print(json.dumps({**release, "assets": {"links": links}}, indent=2))


if __name__ == "__main__":
    main()
