# Removes files of the build. seal.sh removes files that the checks still need.
set -eu
@{ sudo | safe }@
@{ package_manager | safe }@
if [ -d /etc/sudoers.d ]; then allow_sudo_without_terminal; fi
rm -f /etc/sudoers.d/zz-bakeline-build
clean_packages
# Rotated logs, also with the date (logrotate.conf(5), dateext), and the log of the apt solver.
find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \
    -o -name '*-20[0-9][0-9][01][0-9][0-3][0-9]' \) -delete
# Logs of cloud-init can contain secrets of user data. On Debian 12 they are world-readable.
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
# Backups of package managers: old and new configuration files, and copies of their databases.
find /etc -xdev -type f \( -name '*.dpkg-old' -o -name '*.dpkg-dist' -o -name '*.dpkg-new' -o -name '*.dpkg-tmp' \
    -o -name '*.ucf-old' -o -name '*.ucf-dist' -o -name '*.ucf-new' \
    -o -name '*.rpmnew' -o -name '*.rpmsave' -o -name '*.rpmorig' \) -delete
rm -rf /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/backups/* /var/lib/authselect/backups/*
rm -f /core /core.[0-9]* /root/core /var/lib/systemd/coredump/* /root/anaconda-ks.cfg /root/original-ks.cfg
