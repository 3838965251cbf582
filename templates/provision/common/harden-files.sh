# Hardens a base image: file modes that survive upgrades (dpkg-statoverride(1)), and mounts
# (fstab(5)).
set -eu
umask 022

# rights OWNER GROUP MODE PATH: sets owner and mode now and, on Debian, after each installation of the
# package.
rights() {
    if command -v dpkg-statoverride >/dev/null && ! dpkg-statoverride --list "$4" >/dev/null; then
        dpkg-statoverride --add "$1" "$2" "$3" "$4"
    fi
    [ -e "$4" ] || return 0
    chown "$1:$2" "$4"
    chmod "$3" "$4"
}

# os-13: cron files belong to root, also if a child image installs cron
for path in /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.yearly /etc/cron.d; do
    rights root root 0700 "$path"
done
rights root root 0600 /etc/crontab

# os-06: sshd has no host-based login here, so no program needs to read the host keys for others
rights root root 0755 /usr/lib/openssh/ssh-keysign
rights root root 0755 /usr/libexec/openssh/ssh-keysign

# os-02, os-03, os-11
chown root:root /etc/passwd /etc/group /var/log
chmod 0644 /etc/passwd /etc/group
@% if platform == "debian" or platform == "ubuntu" %@chown root:shadow /etc/shadow /etc/gshadow
chmod 0640 /etc/shadow /etc/gshadow
@% else %@chown root:root /etc/shadow /etc/gshadow
chmod 0000 /etc/shadow /etc/gshadow
@% endif %@for path in /etc/passwd- /etc/group-; do if [ -e "$path" ]; then chmod 0600 "$path"; fi; done
for path in /etc/shadow- /etc/gshadow-; do if [ -e "$path" ]; then chmod 0600 "$path"; fi; done
chmod 0755 /var/log
chmod 0700 /root
# ACLs and capabilities are not visible in the mode.
if command -v setfacl >/dev/null; then
    setfacl -b /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh /etc/ssh/sshd_config
fi
# os-01, os-09
rm -f /etc/hosts.equiv /etc/shosts.equiv /root/.rhosts /root/.shosts /root/.netrc

# os-14 to os-16: an EC2 image has one file system, so only file systems in memory can be separate.
# systemd-remount-fs(8) applies these options to /dev and /dev/shm, which are mounted before fstab
# is read.
# mount DEVICE POINT TYPE OPTIONS
mount_at_boot() {
    if awk -v point="$2" '$1 !~ /^#/ && $2 == point { found = 1 } END { exit !found }' /etc/fstab; then
        echo "fstab has $2 already; it stays" >&2
    else
        printf '%s\t%s\t%s\t%s\t0\t0\n' "$1" "$2" "$3" "$4" >> /etc/fstab
    fi
}
mount_at_boot devtmpfs /dev devtmpfs rw,nosuid,noexec,mode=0755
mount_at_boot tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec
mount_at_boot tmpfs /tmp tmpfs rw,nosuid,nodev,noexec,mode=1777,size=50%
# dpkg-preconfigure unpacks its files to /var/cache/debconf/tmp.ci, so /tmp can be noexec.
