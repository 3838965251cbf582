#!/usr/bin/env bash
# Stops the local EC2 and removes the files of demo and tests in this clone.
. "$(dirname "$0")/common.sh"
if [ -x "$BAKELINE" ]; then
    "$BAKELINE" sandbox down || true
fi
rm -rf .bakeline
say "stopped the local EC2 and removed .bakeline; vendor images stay cached in /var/lib/bakeline-sandbox"
