#!/usr/bin/env bash
# Installs the Debian packages for the local EC2 and the tests. Prints nothing if all are installed.
. "$(dirname "$0")/common.sh"

REQUIRED=(mmdebstrap systemd-container iproute2 iptables openssh-client openssh-server python3-venv xz-utils ca-certificates)
missing=()
for package in "${REQUIRED[@]}" "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if ! command -v packer >/dev/null; then missing+=(packer); fi
if [ ${#missing[@]} = 0 ]; then exit 0; fi
say "installing: ${missing[*]}"
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >/dev/null
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" >/dev/null
