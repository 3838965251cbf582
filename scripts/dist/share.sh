#!/usr/bin/env bash
# Writes man pages and completions with the program of this machine's architecture.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
program=$PARTS/$HOST_ARCH/bakeline
share=$PARTS/share

rm -rf "$share"
mkdir -p "$share/completions"
"$program" man-pages "$share/man" --date "$(date --date="@$SOURCE_DATE_EPOCH" +%F)"
"$program" completions bash >"$share/completions/bakeline.bash"
"$program" completions zsh >"$share/completions/_bakeline"
"$program" completions fish >"$share/completions/bakeline.fish"
