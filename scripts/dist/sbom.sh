#!/usr/bin/env bash
# Writes the SBOM of the program in CycloneDX format: all crates that are linked into it.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# The tool writes a file next to each Cargo.toml, and the paths of this directory into it.
git archive HEAD | tar -x -C "$copy"
for file in Cargo.toml Cargo.lock; do cp "$file" "$copy/$file"; done
(cd "$copy" && PATH=$TOOLS/bin:$PATH cargo cyclonedx --quiet --format json --spec-version 1.5 --all \
    --target "$(rust_target "$HOST_ARCH")" --override-filename bakeline)
sed "s|path+file://$copy|path+file:///bakeline|g; s|file://$copy|file:///bakeline|g" "$copy/bakeline.json" \
    >"$DIST/bakeline-$VERSION.cdx.json"
