# Removes files of the build. seal.sh removes files that the checks still need.
set -eu
rm -f /etc/sudoers.d/zz-bakeline-build
# Rotated logs: logrotate adds the date on this platform (logrotate.conf(5), dateext).
find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \
    -o -name '*-20[0-9][0-9][01][0-9][0-3][0-9]' \) -delete
# Logs of cloud-init can contain secrets of user data.
for log in /var/log/cloud-init.log /var/log/cloud-init-output.log; do
    if [ -e "$log" ]; then chmod 0640 "$log"; fi
done
find /tmp /var/tmp -xdev -mindepth 1 -maxdepth 1 ! -name 'script_*.sh' ! -name 'systemd-private-*' ! -name '.*-unix' -exec rm -rf -- {} +
# If /tmp is a separate file system, a /tmp below it is part of the image.
if mountpoint -q /tmp; then
    below=$(mktemp -d /run/bakeline.XXXXXX)
    mount --bind / "$below"
    find "$below/tmp" -xdev -mindepth 1 -delete
    umount "$below"
    rmdir "$below"
fi
# Backups of rpm, authselect and the tools for accounts.
find /etc -xdev -type f \( -name '*.rpmnew' -o -name '*.rpmsave' -o -name '*.rpmorig' \) -delete
rm -rf /var/lib/authselect/backups/*
rm -f /core /core.[0-9]* /root/core /var/lib/systemd/coredump/* /root/anaconda-ks.cfg /root/original-ks.cfg
