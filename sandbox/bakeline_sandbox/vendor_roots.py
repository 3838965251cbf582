"""Builds the roots of the vendor AMIs with mmdebstrap and caches them as directories."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from .backends.requirements import SYS_ADMIN
from .derived_roots import BASE, BUILD_SCRIPT, DERIVED_ROOTS, build_derived_root
from .errors import VendorRootError
from .host.apt import AptConfig, detect_apt_config
from .host.mounts import remove_tree, unmount_below
from .host.processes import NAMESPACES, has_capabilities, run_command
from .vendor_root_files import FILES, REMOVED_FILES, write_root_files

SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}
PACKAGES = (
    "systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,cloud-init,python3,iproute2,"
    "iputils-ping,procps,netbase,ca-certificates,curl,less,tzdata,adduser,e2fsprogs,apt-utils,"
    "debian-archive-keyring"
)
# Debian 13 moved the sysctl that lets users ping to a package of its own.
EXTRA_PACKAGES = {"debian-12": "", "debian-13": ",linux-sysctl-defaults"}
PARALLEL_BUILDS = 2
DURATION = "1 to 4 minutes, 300 MB"
# Steps in the log of mmdebstrap that take time.
STEPS = ("downloading packages", "extracting archives", "installing")
STEP_INTERVAL = 0.5
CA_CERTIFICATES = "usr/local/share/ca-certificates"
SERIAL_FILE = "etc/bakeline-vendor-serial"
Report = Callable[[str], None]


class VendorRoots:
    """Vendor roots of one state directory: builds in `cache/`, links in `run/layers/`."""

    def __init__(self, state_dir: Path) -> None:
        self.cache_dir, self.layers_dir = state_dir / "cache", state_dir / "run" / "layers"
        self._lock = threading.Lock()

    def ensure_roots(self, names: Sequence[str] = tuple(SUITES), report: Report = print) -> None:
        """Builds missing roots, two at a time, and links all of them as disk layers."""
        apt = detect_apt_config()
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        self.layers_dir.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(PARALLEL_BUILDS) as pool:
            paths = list(pool.map(lambda name: self._ensure_root(name, apt, report), names))
        for name, path in zip(names, paths, strict=True):
            self._link_layer(name, path)

    def build_on_demand(self, name: str, report: Report = print) -> None:
        """Builds and links the root of another vendor when the first instance needs it."""
        with self._lock:
            if name in DERIVED_ROOTS and not (self.layers_dir / name).exists():
                if not (self.layers_dir / BASE).exists():
                    self.ensure_roots([BASE], report)
                apt = detect_apt_config()
                base = (self.layers_dir / BASE).resolve()
                self._link_layer(name, self._ensure_derived(name, base, apt, report))

    def _link_layer(self, name: str, path: Path) -> None:
        link = self.layers_dir / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(path, self.layers_dir))

    def create_version(self, name: str, serial: str) -> str:
        """Creates a newer version of a root, as a vendor publishes one; returns its layer name."""
        layer = f"{name}-{serial}"
        target = self.layers_dir / layer
        if target.exists():
            raise VendorRootError(f"vendor root `{layer}` already exists: choose another serial")
        part = target.with_name(f".{layer}.part")
        source = str((self.layers_dir / name).resolve())
        # Layers never change, so hard links are enough. Across file systems, files are copied.
        if subprocess.run(["cp", "-al", source, part], capture_output=True, check=False).returncode:
            remove_tree(part)
            subprocess.run(["cp", "-a", "--reflink=auto", source, part], check=True)
        serial_file = part / SERIAL_FILE
        serial_file.unlink(missing_ok=True)  # writing would change the linked file, too
        serial_file.write_text(f"{serial}\n")
        part.rename(target)
        return layer

    def _ensure_root(self, name: str, apt: AptConfig, report: Report) -> Path:
        path = self.cache_dir / f"{name}-{_recipe_digest(name, apt)}"
        if path.is_dir():
            report(f"{name}: cached")
            return path
        report(f"{name}: building with mmdebstrap ({DURATION})")
        with self._new_root(name, path) as part:
            self._run_mmdebstrap(name, apt, part, report)
            _finish_root(part, SUITES[name], apt)
        report(f"{name}: ready")
        return path

    def _ensure_derived(self, name: str, base: Path, apt: AptConfig, report: Report) -> Path:
        derived = DERIVED_ROOTS[name]
        recipe = json.dumps([base.name, repr(derived), BUILD_SCRIPT, FILES])
        path = self.cache_dir / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:10]}"
        if path.is_dir():
            report(f"{name}: cached")
            return path
        report(f"{name}: building from {BASE} ({DURATION})")
        with self._new_root(name, path) as part:
            log = self.cache_dir / f"{name}.log"
            build_derived_root(derived, base, part, apt, SUITES[BASE], log)
        report(f"{name}: ready")
        return path

    @contextmanager
    def _new_root(self, name: str, path: Path) -> Iterator[Path]:
        """Yields the directory of an unfinished root. Renames it, and deletes older roots."""
        # The kernel lists mounts by their real paths.
        part = path.parent.resolve() / f".{path.name}.part"
        unmount_below(part)
        remove_tree(part)
        yield part
        part.rename(path)
        for older in self.cache_dir.glob(f"{name}-*"):
            if older != path and older.is_dir():
                remove_tree(older)

    def _run_mmdebstrap(self, name: str, apt: AptConfig, target: Path, report: Report) -> None:
        log = self.cache_dir / f"{name}.log"
        command = _mmdebstrap_command(name, apt, target)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        code = _follow_steps(process, log, lambda step: report(f"{name}: {step}"))
        if code:
            last_lines = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
            text = f"cannot build vendor root `{name}` (mmdebstrap: exit code {code}; log: {log})"
            raise VendorRootError(f"{text}: {last_lines}")


def _follow_steps(process: subprocess.Popen[bytes], log: Path, report: Report) -> int:
    """Reports each step that mmdebstrap writes to its log; returns its exit code."""
    reported = 0
    while True:
        code = process.poll()
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        # The last line may be incomplete while mmdebstrap writes it.
        steps = [line for line in lines if line.startswith("I: ") and line.endswith("\n")]
        for line in steps[reported:]:
            if any(word in line for word in STEPS):
                report(line.removeprefix("I: ").strip().rstrip("."))
        reported = len(steps)
        if code is not None:
            return code
        time.sleep(STEP_INTERVAL)


def _recipe_digest(name: str, apt: AptConfig) -> str:
    """Returns the digest of all inputs of a root; a cached root with another digest is outdated."""
    packages = PACKAGES + EXTRA_PACKAGES[name]
    recipe = [SUITES[name], packages, FILES, REMOVED_FILES, apt.mirrors, apt.options]
    recipe += [os.uname().machine, *apt.auth_conf()]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:10]


def _mmdebstrap_command(name: str, apt: AptConfig, target: Path) -> list[str]:
    can_mount = has_capabilities([SYS_ADMIN])
    command = [*(NAMESPACES if can_mount else ()), "mmdebstrap"]
    command += ["--variant=minbase", "--mode=root", "--format=directory"]
    command += [f"--include={PACKAGES}{EXTRA_PACKAGES[name]}"]
    if not can_mount:
        command += ["--skip=check/canmount,chroot/mount"]
    command += [f"--aptopt={line}" for line in apt.apt_conf(inside=False)]
    return [*command, SUITES[name], str(target), *apt.sources(SUITES[name], inside=False)]


def _finish_root(root: Path, suite: str, apt: AptConfig) -> None:
    for pattern in REMOVED_FILES:
        for path in root.glob(pattern):
            remove_tree(path)
    write_root_files(root, suite, apt)
    certificates = Path("/", CA_CERTIFICATES)
    if certificates.is_dir() and any(certificates.iterdir()):
        shutil.copytree(certificates, root / CA_CERTIFICATES, dirs_exist_ok=True)
        run_command("chroot", root, "update-ca-certificates")
