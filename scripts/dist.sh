#!/usr/bin/env bash
# Builds the release artifacts into target/dist: programs, packages, container image, SBOM and checksums.
# DIST_ARCHES selects the architectures. The image is built for the architecture of this machine.
. "$(dirname "$0")/common.sh"
. scripts/dist/settings.sh

write_checksums() {
    (cd "$DIST" && LC_ALL=C sha256sum -- bakeline* >SHA256SUMS.part && mv SHA256SUMS.part SHA256SUMS)
}

if [[ " $DIST_ARCHES " != *" $HOST_ARCH "* ]]; then
    say "DIST_ARCHES needs $HOST_ARCH, because its program writes the man pages"
    exit 2
fi
rm -rf "$DIST" "$PARTS"
mkdir -p "$DIST"
timed "packages" scripts/packages.sh
timed "tools" scripts/dist/tools.sh
for arch in $DIST_ARCHES; do
    timed "program for $arch" scripts/dist/program.sh "$arch"
done
timed "man pages and completions" scripts/dist/share.sh
timed "licenses" scripts/dist/licenses.sh
for arch in $DIST_ARCHES; do
    timed "tarball for $arch" scripts/dist/tarball.sh "$arch"
    timed "Debian package for $arch" scripts/dist/deb.sh "$arch"
done
timed "SBOM" scripts/dist/sbom.sh
timed "container image" scripts/dist/image.sh
write_checksums
(cd "$DIST" && ls -l -- * && cat SHA256SUMS)
