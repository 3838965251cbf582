# shellcheck shell=bash
# The scripts that source this file use the variables.
# shellcheck disable=SC2034
# Names, versions and paths of the release artifacts. Source it after common.sh.
DIST=$TARGET/dist
# Programs and shared files that the artifacts are made of.
PARTS=$TARGET/dist-parts
TOOLS=$TARGET/tools
HOST_ARCH=$(uname -m)
DIST_ARCHES=${DIST_ARCHES:-x86_64 aarch64}
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# Equal sources give equal artifacts: the time is that of the commit.
COMMIT=$(git rev-parse HEAD 2>/dev/null || true)
if [ -n "$COMMIT" ] && [ -n "$(git status --porcelain --untracked-files=no)" ]; then COMMIT=$COMMIT-modified; fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

rust_target() { printf '%s-unknown-linux-musl' "$1"; }
# debian_arch ARCH: print the name of an architecture in Debian and in container images.
debian_arch() {
    case $1 in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) say "unknown architecture: $1" && return 1 ;;
    esac
}
# pack DIRECTORY NAME...: write a reproducible tar archive to stdout.
pack() {
    tar --directory "$1" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --format=gnu --create --file=- -- "${@:2}"
}
