"""Installs a stub of Packer that answers questions about versions only."""

from __future__ import annotations

import os

from .catalog import Catalog

FOLDER = "/root/.config/packer/plugins/github.com/hashicorp/amazon"


def plugin_lines(*versions: str) -> str:
    """Returns what `packer plugins installed` prints, for printf(1)."""
    return "".join(f"{FOLDER}/packer-plugin-amazon_v{version}_x5.0_linux_amd64\\n" for version in versions)


def install_stub(
    catalog: Catalog, version: str, plugins: list[str], error: str = "", before: str = ""
) -> dict[str, str]:
    """Returns an environment with a stub `packer` of this version with these plugins."""
    lines = plugin_lines(*plugins)
    failing = f"echo '{error}' >&2; exit 1;" if error else before
    program = f"""#!/bin/sh
{failing}
case "$*" in
"-machine-readable version") echo '1,,version,{version}' ;;
"plugins installed") printf '{lines}' ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
    catalog.file("bin/packer", program).chmod(0o755)
    return {"PATH": f"{catalog.at}/bin:{os.environ['PATH']}"}
