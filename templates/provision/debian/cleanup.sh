# Leave nothing of the build behind that the next instance would inherit. What the checks still need goes in seal.sh.
set -eu
export DEBIAN_FRONTEND=noninteractive
@{ apt | safe }@
rm -f /etc/sudoers.d/zz-bakeline-build
apt_get -q -y autoremove --purge
apt_get -q clean
# Rotated logs, and apt's notes for whoever debugs its solver.
find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
# What cloud-init logs can have secrets of user data in it; Debian 12's is made readable for everybody.
for log in /var/log/cloud-init.log /var/log/cloud-init-output.log; do
    if [ -e "$log" ]; then chmod 0640 "$log"; fi
done
find /tmp /var/tmp -xdev -mindepth 1 -maxdepth 1 ! -name 'script_*.sh' ! -name 'systemd-private-*' ! -name '.*-unix' -exec rm -rf -- {} +
# Where /tmp is a file system of its own, there is a /tmp below it that travels with the image.
if mountpoint -q /tmp; then
    below=$(mktemp -d /run/bakeline.XXXXXX)
    mount --bind / "$below"
    find "$below/tmp" -xdev -mindepth 1 -delete
    umount "$below"
    rmdir "$below"
fi
# What package managers set aside: the old of a configuration, the new that was not taken, backups of their own databases.
find /etc -xdev -type f \( -name '*.dpkg-old' -o -name '*.dpkg-dist' -o -name '*.dpkg-new' -o -name '*.dpkg-tmp' \
    -o -name '*.ucf-old' -o -name '*.ucf-dist' -o -name '*.ucf-new' \) -delete
rm -rf /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/backups/*
rm -f /core /core.[0-9]* /root/core /var/lib/systemd/coredump/*
