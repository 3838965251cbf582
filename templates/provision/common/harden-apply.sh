# Hardens a base image, last part: activates the settings, so that the build-phase checks see them.
# A container cannot change all settings of its kernel.
set -eu
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl restart systemd-sysctl.service systemd-remount-fs.service
if mountpoint -q /tmp; then
    mount -o remount /tmp
else
    # cleanup.sh removes files below the mount point, such as this script.
    systemctl start tmp.mount
fi
# systemd does not restart the auditd of RHEL (RefuseManualStop).
systemctl reload-or-restart auditd.service || true
@% if platform == "debian" or platform == "ubuntu" %@systemctl reload ssh.service
@% else %@systemctl reload sshd.service
@% endif %@