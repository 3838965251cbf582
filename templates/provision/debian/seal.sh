# Remove what must not travel: keys, identity, history. Runs last: nobody can log in afresh after it.
set -eu
if command -v cloud-init >/dev/null; then
    cloud-init clean --logs >/dev/null 2>&1 || rm -rf /var/lib/cloud/instances /var/lib/cloud/instance /var/lib/cloud/data /var/lib/cloud/sem
fi
rm -f /etc/ssh/ssh_host_*
# cloud-init writes it anew at the first boot; that of Debian 12 would add its line to the builder's.
rm -f /etc/sudoers.d/90-cloud-init-users
for home in /root /home/*; do
    rm -f -- "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2" "$home/.ssh/known_hosts" "$home/.ssh/known_hosts.old"
    rm -f -- "$home/.bash_history" "$home/.ash_history" "$home/.sh_history" "$home/.zsh_history" "$home/.python_history" \
        "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts" "$home/.mysql_history" "$home/.psql_history" \
        "$home/.sudo_as_admin_successful"
    rm -rf -- "$home/.cache"
done
# Packages as of the build are no news for an instance; the check for pending updates was the last to read them.
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
# From here on journald writes to /run: else its last words would be a journal of this machine in the image.
if [ -d /run/systemd/system ]; then journalctl --relinquish-var || true; fi
rm -rf /var/log/journal/*
if command -v cloud-init >/dev/null; then
    # It keeps the mode of a log that is there, and gives a new one 0644.
    for log in /var/log/cloud-init.log /var/log/cloud-init-output.log; do
        : >> "$log"
        chown root:adm "$log"
        chmod 0640 "$log"
    done
fi
find /var/log -xdev -type f -exec truncate -s 0 {} +
: > /etc/machine-id
# Services that save their state when the machine stops would bring it back.
if [ -d /run/systemd/system ]; then
    mkdir -p /run/systemd/system/systemd-random-seed.service.d
    printf '[Service]\nExecStop=\n' > /run/systemd/system/systemd-random-seed.service.d/bakeline.conf
    systemctl daemon-reload || true
    systemctl stop chrony.service 2>/dev/null || true
fi
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /var/lib/dhcp/*.leases /var/lib/dhclient/*.lease* /var/lib/chrony/* /run/systemd/netif/leases/*
# When a timer last ran is the builder's time, too: what was missed since would be made up for at once.
rm -f /var/lib/systemd/timers/stamp-*
sync
