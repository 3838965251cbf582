#!/usr/bin/env bash
# A tour without root, cloud or SDK: validate a broken catalog, plan and prune from a recorded inventory, check a directory.
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
