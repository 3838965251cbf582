# Harden a base image: SSH by key only, no needless rights for others, sane kernel defaults.
set -eu
umask 022
mkdir -p /etc/ssh/sshd_config.d /etc/sysctl.d
cat > /etc/ssh/sshd_config.d/10-bakeline.conf <<'CONF'
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
X11Forwarding no
MaxAuthTries 4
LoginGraceTime 60
CONF
chmod 0600 /etc/ssh/sshd_config.d/10-bakeline.conf
cat > /etc/sysctl.d/60-bakeline.conf <<'CONF'
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
fs.protected_hardlinks = 1
fs.protected_symlinks = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.all.rp_filter = 1
net.ipv4.tcp_syncookies = 1
CONF
chmod 0644 /etc/sysctl.d/60-bakeline.conf
passwd -l root >/dev/null
chmod 0640 /etc/shadow /etc/gshadow
chown root:shadow /etc/shadow /etc/gshadow
for file in /etc/crontab /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.d; do
    if [ -e "$file" ]; then chmod go-rwx "$file"; fi
done
