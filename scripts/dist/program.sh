#!/usr/bin/env bash
# Builds the static program of an architecture: program.sh ARCH. zig is its C compiler and linker.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
target=$(rust_target "$1")
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# Without the paths of this machine in the program. Cargo compiles the crates of the workspace with relative paths.
# The last prefix that matches applies, and one directory can contain the other.
export RUSTFLAGS="--remap-path-prefix=$TARGET=/target --remap-path-prefix=$cargo_home=/cargo"
export CFLAGS="-ffile-prefix-map=$TARGET=/target -ffile-prefix-map=$cargo_home=/cargo"
# The build scripts of C libraries run again if the time changes, and with them the build of the SDK. The program contains no time.
unset SOURCE_DATE_EPOCH
export BAKELINE_COMMIT=$COMMIT PATH=$TOOLS/bin:$PATH
cargo zigbuild --release --locked --target "$target" --bin bakeline
install -D -m 0755 "$TARGET/$target/release/bakeline" "$PARTS/$1/bakeline"
