#!/usr/bin/env bash
# Demonstrates bakeline without root, AWS or SDK: validates a broken catalog, plans and prunes from a
# recorded inventory, and checks a directory.
. "$(dirname "$0")/common.sh"
cargo build --no-default-features
TOUR=examples/tour
run() {
    printf '\n$ bakeline %s\n' "$*"
    "$BAKELINE" "$@" 2>&1 || printf '(exit code %d)\n' $?
}
run -C $TOUR/broken validate
run -C $TOUR/catalog plan --inventory $TOUR/inventory.json
run -C $TOUR/catalog prune --inventory $TOUR/inventory.json
run -C $TOUR/catalog check web --root $TOUR/rootfs
