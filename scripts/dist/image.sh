#!/usr/bin/env bash
# Writes the container image of this machine's architecture as an OCI archive, without a container engine: Debian 12 with
# Packer and ssh, and bakeline.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
arch=$(debian_arch "$HOST_ARCH")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# In a container without the right to mount, mmdebstrap works without /proc and /sys of the new root.
mounts=()
if ! unshare --mount true 2>/dev/null; then mounts=("--skip=check/canmount,chroot/mount"); fi
as_root env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mmdebstrap --quiet --mode=root --variant=minbase "${mounts[@]}" \
    --include=packer,openssh-client,ca-certificates,git \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    bookworm "$tree/base.tar"
install -D -m 0755 "$PARTS/$HOST_ARCH/bakeline" "$tree/root/usr/local/bin/bakeline"
install -D -m 0644 LICENSE "$tree/root/usr/share/doc/bakeline/copyright"
install -D -m 0644 "$PARTS/share/THIRD-PARTY-LICENSES" "$tree/root/usr/share/doc/bakeline/THIRD-PARTY-LICENSES"
pack "$tree/root" usr >"$tree/bakeline.tar"
python3 scripts/dist/oci.py --arch "$arch" --version "$VERSION" --commit "$COMMIT" \
    --output "$DIST/bakeline-$VERSION-linux-$HOST_ARCH.oci.tar" "$tree/base.tar" "$tree/bakeline.tar"
