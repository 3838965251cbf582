# Removes keys, identity and history. Runs last, because no login is possible afterwards.
set -eu
if command -v cloud-init >/dev/null; then
    cloud-init clean --logs >/dev/null 2>&1 || rm -rf /var/lib/cloud/instances /var/lib/cloud/instance /var/lib/cloud/data /var/lib/cloud/sem
fi
rm -f /etc/ssh/ssh_host_*
# cloud-init creates this sudoers file at the first boot. On Debian 12 it would append to the file
# of the build.
rm -f /etc/sudoers.d/90-cloud-init-users
# Package lists of the build are outdated on an instance. The check for pending updates, which needs
# them, has already run.
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/dnf/* /var/cache/yum/* /var/cache/libdnf5/*
# Make journald write to /run. Otherwise it would save its last messages in the image.
if [ -d /run/systemd/system ]; then journalctl --relinquish-var || true; fi
rm -rf /var/log/journal/*
if command -v cloud-init >/dev/null; then
    # cloud-init keeps the mode of an existing log, and creates a new one with mode 0644.
    for log in /var/log/cloud-init.log /var/log/cloud-init-output.log; do
        : >> "$log"
        chown root:adm "$log"
        chmod 0640 "$log"
    done
fi
# Services write logs until the shutdown is complete. Stop those that have opened a log, and hide the
# directory from the others by an empty file system, which is not part of the image.
if [ -d /run/systemd/system ]; then
    find /proc/[0-9]*/fd -lname '/var/log/*' 2>/dev/null | cut -d/ -f3 | sort -u | while IFS= read -r process; do
        sed -n '\|/system\.slice/|s|.*/\([^/]*\.service\)\(/.*\)\{0,1\}$|\1|p' "/proc/$process/cgroup" 2>/dev/null || true
    done | sort -u | while IFS= read -r unit; do
        # Packer uses sshd or the SSM agent. The journal writes to /run already.
        case $unit in ssh.service | ssh@*.service | sshd.service | sshd@*.service | *ssm-agent* | systemd-*) continue ;; esac
        # auditd.service refuses to be stopped (RefuseManualStop), but ends on a signal.
        timeout 60 systemctl stop "$unit" </dev/null || systemctl kill "$unit" || true
    done
    logs=$(mktemp -d /run/bakeline.XXXXXX)
    mount --bind /var/log "$logs"
    # Otherwise the next mount also appears here (mount_namespaces(7), shared subtrees).
    mount --make-private "$logs"
    mount -t tmpfs -o mode=0755 tmpfs /var/log
    find "$logs" -xdev -type f -exec truncate -s 0 {} +
    umount "$logs"
    rmdir "$logs"
else
    find /var/log -xdev -type f -exec truncate -s 0 {} +
fi
# An empty file keeps the SELinux label of the file. systemd writes an ID at the first boot.
: > /etc/machine-id
# Stop services from saving their state at shutdown. They would create the files again that are
# removed below.
if [ -d /run/systemd/system ]; then
    mkdir -p /run/systemd/system/systemd-random-seed.service.d
    printf '[Service]\nExecStop=\n' > /run/systemd/system/systemd-random-seed.service.d/bakeline.conf
    systemctl daemon-reload || true
    for unit in chrony.service chronyd.service; do systemctl stop "$unit" 2>/dev/null || true; done
fi
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /var/lib/dhcp/*.leases /var/lib/dhclient/*.lease* /var/lib/chrony/*
# State of NetworkManager, the connections that cloud-init wrote, and the registration with Red Hat.
rm -f /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/timestamps \
    /var/lib/NetworkManager/seen-bssids /etc/NetworkManager/system-connections/cloud-init-*
if command -v subscription-manager >/dev/null; then subscription-manager clean >/dev/null 2>&1 || true; fi
# The last run of a timer would be that of the builder, and missed runs would start immediately.
rm -f /var/lib/systemd/timers/stamp-*
sync
