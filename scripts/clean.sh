#!/usr/bin/env bash
# The way back: ends the local EC2 and removes what demo and tests made below this clone.
. "$(dirname "$0")/common.sh"
if [ -x "$BAKELINE" ]; then
    "$BAKELINE" sandbox down || true
fi
rm -rf .bakeline
say "ended the local EC2 and removed .bakeline; the vendor images stay cached (remove /var/lib/bakeline-sandbox to drop them)"
