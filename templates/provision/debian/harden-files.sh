# Harden a base image: rights of files, in a way that upgrades keep (dpkg-statoverride(1)), and mounts (fstab(5)).
set -eu
umask 022

# rights OWNER GROUP MODE PATH: now, and whenever a package brings the path again.
rights() {
    [ -e "$4" ] || return 0
    if ! dpkg-statoverride --list "$4" >/dev/null; then dpkg-statoverride --add "$1" "$2" "$3" "$4"; fi
    chown "$1:$2" "$4"
    chmod "$3" "$4"
}

# os-13: what runs when is root's business.
for path in /etc/crontab /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.yearly /etc/cron.d; do
    if [ -d "$path" ]; then rights root root 0700 "$path"; elif [ -e "$path" ]; then rights root root 0600 "$path"; fi
done

# os-06: sshd takes no host-based logins here, so nothing needs to read the host's private keys for others.
rights root root 0755 /usr/lib/openssh/ssh-keysign

# os-02, os-03, os-11
chown root:root /etc/passwd /etc/group /var/log
chmod 0644 /etc/passwd /etc/group
chown root:shadow /etc/shadow /etc/gshadow
chmod 0640 /etc/shadow /etc/gshadow
for path in /etc/passwd- /etc/group-; do if [ -e "$path" ]; then chmod 0600 "$path"; fi; done
for path in /etc/shadow- /etc/gshadow-; do if [ -e "$path" ]; then chmod 0600 "$path"; fi; done
chmod 0755 /var/log
chmod 0700 /root
# Rights beyond the mode bits hide from who looks at modes only.
if command -v setfacl >/dev/null; then
    setfacl -b /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh /etc/ssh/sshd_config
fi
# os-01, os-09
rm -f /etc/hosts.equiv /etc/shosts.equiv /root/.rhosts /root/.shosts /root/.netrc

# os-14 to os-16: an EC2 image is one file system; what can be apart are those in memory. systemd-remount-fs(8) brings
# /dev and /dev/shm, which are there before fstab is read, to what is said here.
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
# dpkg-preconfigure unpacks what it runs to /var/cache/debconf/tmp.ci, so a noexec /tmp does not disturb it.
