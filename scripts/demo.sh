#!/usr/bin/env bash
# Releases the shipped catalog on the local EC2: checks first, installs while cargo builds, then shows what came of it.
. "$(dirname "$0")/common.sh"

problems=()
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
for tool in git make cc cargo; do
    command -v "$tool" >/dev/null || problems+=("$tool is missing: apt install git make gcc; Rust from https://rustup.rs")
done
if command -v rustc >/dev/null; then
    have=$(rustc --version | cut -d' ' -f2)
    printf '%s\n%s\n' "$wanted" "$have" | sort -V -C || problems+=("rustc $have is too old, $wanted or newer is needed: rustup update")
fi
memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
[ "$memory" -ge 7500 ] || problems+=("$memory MB of memory: building the AWS SDK needs 8 GB")
free=$(df -Pm . | awk 'NR == 2 {print $4}')
[ "$free" -ge 12000 ] || problems+=("$free MB free here: 12 GB are needed (8 for the build, 4 for images)")
if ! command -v packer >/dev/null && ! apt-cache show packer >/dev/null 2>&1; then
    problems+=("this distribution has no Packer; install HashiCorp's: see https://developer.hashicorp.com/packer/install")
fi
if [ ${#problems[@]} -gt 0 ]; then
    printf 'cannot run here: %s\n' "${problems[@]}" >&2
    exit 1
fi

say "This installs Debian packages (packer, mmdebstrap, systemd-container, ...), builds bakeline (about 6 minutes"
say "the first time on 2 cores), starts a local EC2 as root and releases five images (about 3 minutes)."
if [ "$(id -u)" != 0 ] && [ "${YES:-}" != 1 ] && [ -z "${CI:-}" ]; then
    read -r -p "It uses sudo. Go on? [y/N] " answer
    case $answer in y | Y | yes) ;; *) exit 1 ;; esac
fi

begun=$SECONDS
log=$(mktemp)
scripts/packages.sh >"$log" 2>&1 &
packages=$!
cargo build
wait "$packages" || { cat "$log" >&2; exit 1; }
rm -f "$log"

head1 "The local EC2"
"$BAKELINE" sandbox up ${BACKEND:+--backend "$BACKEND"}
enter_sandbox
export BAKELINE_SLACK_WEBHOOK_URL

head1 "Release"
"$BAKELINE" release --jobs "${JOBS:-2}"

head1 "Lookup: bakeline latest tomcat --env Test"
"$BAKELINE" latest tomcat --env Test

head1 "What exists"
"$BAKELINE" list

head1 "The Slack message"
scripts/last-slack.py

head1 "Done in $((SECONDS - begun)) s"
say "Runs, logs, evidence:   $ROOT/.bakeline/runs/"
say "Use the local EC2:      eval \"\$($BAKELINE sandbox status --env)\""
say "The way back:           make clean"
