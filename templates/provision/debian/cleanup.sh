# Leave nothing of the build behind that the next instance would inherit.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y autoremove --purge
apt-get -q clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
find /var/log -xdev -type f \( -name '*.gz' -o -name '*.[0-9]' \) -delete
find /tmp /var/tmp -xdev -mindepth 1 -maxdepth 1 ! -name 'script_*.sh' ! -name 'systemd-private-*' ! -name '.*-unix' -exec rm -rf -- {} +
