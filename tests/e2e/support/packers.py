"""Selects the Packer binaries that the building tests run with: those of BAKELINE_TEST_PACKERS, or the one in PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "BAKELINE_TEST_PACKERS"


@dataclass(frozen=True)
class Packer:
    """A binary named `packer`. A directory `plugins` next to it has its plugins."""

    path: Path
    version: str
    plugin: str
    """Version of packer-plugin-amazon, or empty if the binary includes the builder."""

    @property
    def name(self) -> str:
        return f"packer-{self.version}" + (f"-amazon-{self.plugin}" if self.plugin else "")

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Returns the variables that select this binary and its plugins."""
        return _environment(self.path, env)


def _environment(path: Path, env: Mapping[str, str]) -> dict[str, str]:
    in_path = shutil.which("packer", path=env["PATH"]) == str(path)
    selected = {"PATH": env["PATH"] if in_path else f"{path.parent}:{env['PATH']}"}
    plugins = path.parent / "plugins"
    return {**selected, "PACKER_PLUGIN_PATH": str(plugins)} if plugins.is_dir() else selected


def _describe(path: Path) -> Packer:
    assert path.name == "packer" and path.is_file(), f"{VARIABLE}: {path} is not a file named `packer`"
    env = {**os.environ, **_environment(path, os.environ), "CHECKPOINT_DISABLE": "1"}
    ask = lambda *words: subprocess.run([str(path), *words], env=env, capture_output=True, text=True, check=False)
    version = re.search(r"v(\d+\.\d+\.\d+)", ask("version").stdout)
    assert version, f"{VARIABLE}: `{path} version` failed: {ask('version').stderr}"
    plugins = re.findall(r"packer-plugin-amazon_v([\d.]+)_", ask("plugins", "installed").stdout)
    return Packer(path, version[1], plugins[-1] if plugins else "")


def find_packers() -> list[Packer]:
    """Returns the binaries of BAKELINE_TEST_PACKERS, separated by colons. The default is the one in PATH."""
    default = shutil.which("packer") or ""
    paths = [one for one in os.environ.get(VARIABLE, default).split(":") if one]
    return [_describe(Path(one).absolute()) for one in paths]
