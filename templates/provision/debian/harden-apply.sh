# Harden a base image, last part: put it into force now, so that the build's checks see what an instance will have. Where
# the kernel is somebody else's (a container) it takes what it can, as at a boot.
set -eu
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl restart systemd-sysctl.service systemd-remount-fs.service
if mountpoint -q /tmp; then
    mount -o remount /tmp
else
    # What is on the disk below, such as this script, goes in cleanup.sh.
    systemctl start tmp.mount
fi
systemctl reload-or-restart auditd.service || true
systemctl reload ssh.service
