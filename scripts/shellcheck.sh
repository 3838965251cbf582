#!/usr/bin/env bash
# Runs shellcheck on all shell scripts: those of the repository, the parts of the collector of checks,
# and the provisioning scripts that are plain shell before their rendering.
. "$(dirname "$0")/common.sh"
shellcheck=${SHELLCHECK:-.venv/bin/shellcheck}

# Parts are joined before they run. They use variables of other parts, and programs of awk and sed
# have `$` in single quotes. `A && B || C` is deliberate: C runs also if B fails.
PARTS=(--shell=sh "--exclude=SC2154,SC2034,SC2015,SC2016")

mapfile -t scripts < <(git ls-files .ci/run 'bench/*.sh' 'images/*.sh' 'sandbox/*.sh' 'scripts/*.sh')
mapfile -t parts < <(git ls-files 'crates/*.sh')
mapfile -t plain < <(git ls-files 'templates/*.sh' | xargs grep -LE '@[{%#]')
say "${#scripts[@]} scripts, ${#parts[@]} parts of the collector, ${#plain[@]} plain templates"
"$shellcheck" "${scripts[@]}"
"$shellcheck" "${PARTS[@]}" "${parts[@]}" "${plain[@]}"
