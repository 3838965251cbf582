#!/usr/bin/env bash
# Writes the tarball of an architecture: tarball.sh ARCH.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
name=bakeline-$VERSION-linux-$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

mkdir "$tree/$name"
cp -R "$PARTS/$1/bakeline" "$PARTS"/share/{man,completions,THIRD-PARTY-LICENSES} README.md CHANGELOG.md LICENSE "$tree/$name/"
pack "$tree" "$name" | gzip -9n >"$DIST/$name.tar.gz"
