# Bring a fresh Debian instance up to date before anything is installed on it.
set -eu
export DEBIAN_FRONTEND=noninteractive
if command -v cloud-init >/dev/null && [ -d /run/systemd/system ]; then
    cloud-init status --wait >/dev/null 2>&1 || true
fi
apt-get -q update
apt-get -q -y -o Dpkg::Options::=--force-confold upgrade
