#!/usr/bin/env bash
# Releases the shipped catalog on the local EC2. Checks the requirements first, installs packages while
# cargo builds, and shows the result.
. "$(dirname "$0")/common.sh"

problems=()
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
for tool in git make cc cargo; do
    command -v "$tool" >/dev/null || problems+=("$tool is missing: apt install git make gcc; Rust from https://rustup.rs")
done
if command -v rustc >/dev/null; then
    have=$(rustc --version | cut -d' ' -f2)
    printf '%s\n%s\n' "$wanted" "$have" | sort -V -C || problems+=("rustc $have is too old, $wanted or newer is required: rustup update")
fi
memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
[ "$memory" -ge 7500 ] || problems+=("$memory MB of memory: the build of the AWS SDK requires 8 GB")
free=$(df -Pm . | awk 'NR == 2 {print $4}')
[ "$free" -ge 12000 ] || problems+=("$free MB of free disk space: 12 GB are required (8 for the build, 4 for images)")
if ! command -v packer >/dev/null && ! apt-cache show packer >/dev/null 2>&1; then
    problems+=("this distribution has no Packer package; install it from https://developer.hashicorp.com/packer/install")
fi
if command -v packer >/dev/null && packer plugins installed >/dev/null 2>&1; then # Packer 1.8 or newer
    packer plugins installed | grep -q packer-plugin-amazon ||
        problems+=("Packer's Amazon plugin is missing: packer plugins install github.com/hashicorp/amazon 1.8.2")
fi
if [ ${#problems[@]} -gt 0 ]; then
    printf 'requirement not met: %s\n' "${problems[@]}" >&2
    exit 1
fi

say "This installs Debian packages (packer, mmdebstrap, systemd-container, ...),"
say "compiles bakeline (the first time about 6 minutes on 2 cores), starts a local"
say "EC2 as root and releases five images (about 3 minutes with Packer 1.6.6, 4 with"
say "current versions)."
if [ "$(id -u)" != 0 ] && [ "${YES:-}" != 1 ] && [ -z "${CI:-}" ]; then
    read -r -p "It uses sudo. Continue? [y/N] " answer
    case $answer in y | Y | yes) ;; *) exit 1 ;; esac
fi

started=$SECONDS
log=$(mktemp)
scripts/packages.sh >"$log" 2>&1 &
packages=$!
cargo build
wait "$packages" || { cat "$log" >&2; exit 1; }
rm -f "$log"

heading "The local EC2"
"$BAKELINE" sandbox up ${BACKEND:+--backend "$BACKEND"}
use_sandbox
export BAKELINE_SLACK_WEBHOOK_URL

heading "Release"
"$BAKELINE" release --jobs "${JOBS:-2}"

heading "Current AMI: bakeline latest tomcat --env Test"
"$BAKELINE" latest tomcat --env Test

heading "Versions: bakeline list"
"$BAKELINE" list

heading "Slack message"
scripts/last-slack.py

heading "Plan after a change of the variable greeting in images/nginx.yaml"
changed=$(mktemp -d)
cp -r .bakeline bakeline.yaml images "$changed"
sed -i 's/greeting: .*}/greeting: Served by the next version.}/' "$changed/images/nginx.yaml"
"$BAKELINE" -C "$changed" plan
rm -rf "$changed"

heading "Done in $((SECONDS - started)) s"
say "Runs, logs, evidence:   $ROOT/.bakeline/runs/"
say "Use the local EC2:      eval \"\$($BAKELINE sandbox status --env)\""
say "Clean up:               make clean"
