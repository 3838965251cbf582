#!/usr/bin/env bash
# Tests the release artifacts of `make dist`: in empty and Debian roots, with real shells, man, skopeo and an emulator.
. "$(dirname "$0")/common.sh"
unpacked=$TARGET/dist-test

# Unpacks the registry of Debian. Installing its package would start a service.
unpack_registry() {
    if [ -x "$unpacked/usr/bin/docker-registry" ]; then return; fi
    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get -q download docker-registry && dpkg-deb --extract docker-registry_*.deb .) >&2
}

timed "packages" scripts/packages.sh binutils curl qemu-user-static skopeo
timed "python environment" scripts/venv.sh
timed "container registry" unpack_registry
timed "tests of the artifacts" as_root env CARGO_TARGET_DIR="$TARGET" PATH="$PATH:$unpacked/usr/bin" \
    "$ROOT/.venv/bin/python" -m pytest -q tests/dist "$@"
