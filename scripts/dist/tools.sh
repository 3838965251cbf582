#!/usr/bin/env bash
# Installs the tools of the release into target/tools, unless they are up to date.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
CYCLONEDX=0.5.9
ABOUT=0.9.3

for arch in $DIST_ARCHES; do
    rustup target add "$(rust_target "$arch")" 2>&1 | grep -v 'is up to date' >&2 || true
done
stamp=$(cat scripts/dist/requirements.txt - <<<"cargo-cyclonedx $CYCLONEDX cargo-about $ABOUT" | sha256sum | cut -c1-16)
if [ "$(cat "$TOOLS/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
rm -rf "$TOOLS"
python3 -m venv "$TOOLS"
"$TOOLS/bin/python" -m pip install -q --disable-pip-version-check -r scripts/dist/requirements.txt
CARGO_TARGET_DIR=$TARGET/tools-build cargo install -q --locked --root "$TOOLS" "cargo-cyclonedx@$CYCLONEDX"
CARGO_TARGET_DIR=$TARGET/tools-build cargo install -q --locked --root "$TOOLS" --features cli "cargo-about@$ABOUT"
rm -rf "$TARGET/tools-build"
echo "$stamp" >"$TOOLS/stamp"
