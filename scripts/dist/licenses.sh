#!/usr/bin/env bash
# Writes the licenses of the crates in the program, and of libgit2 and musl, which no crate names.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
licenses=$PARTS/share/THIRD-PARTY-LICENSES

# append NAME FILE: add the license of a library.
append() {
    printf '\n%s\n%s\n\n' "$(printf '=%.0s' {1..80})" "$1" >>"$licenses"
    cat "$2" >>"$licenses"
}

# manifest_path CRATE: print the path of the Cargo.toml of a dependency.
manifest_path() {
    cargo metadata --locked --offline --format-version 1 | python3 -c '
import json, sys
print(*[crate["manifest_path"] for crate in json.load(sys.stdin)["packages"] if crate["name"] == sys.argv[1]])' "$1"
}

mkdir -p "$PARTS/share"
# The next commands resolve the crates of all platforms.
cargo fetch --locked --quiet
PATH=$TOOLS/bin:$PATH cargo about generate --locked --offline --fail --config scripts/dist/about.toml \
    --output-file "$licenses" scripts/dist/about.hbs
append libgit2 "$(dirname "$(manifest_path libgit2-sys)")/libgit2/COPYING"
append musl "$("$TOOLS/bin/python" -c 'import ziglang; print(ziglang.__path__[0])')/lib/libc/musl/COPYRIGHT"
