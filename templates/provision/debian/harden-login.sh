# Harden a base image: accounts, their passwords' age, umask, core dumps.
set -eu
umask 022

# option NAME VALUE: say it once in login.defs(5). The file has no folder of drop-ins.
option() {
    if grep -q "^[[:space:]]*$1[[:space:]]" /etc/login.defs; then
        sed -i "s|^[[:space:]]*$1[[:space:]].*|$1 $2|" /etc/login.defs
    else
        printf '%s %s\n' "$1" "$2" >> /etc/login.defs
    fi
}
# os-05
option UMASK 027
option PASS_MAX_DAYS 60
option PASS_MIN_DAYS 7
option PASS_WARN_AGE 7
option LOGIN_RETRIES 5
option LOGIN_TIMEOUT 60
# crypt(5) recommends it; Debian 13 has it already.
option ENCRYPT_METHOD YESCRYPT
# With UMASK 027 alone a home directory would be readable for its group.
option HOME_MODE 0700
chown root:root /etc/login.defs
chmod 0644 /etc/login.defs

# Debian 12 has pam_umask(8), which brings UMASK to every session, but does not call it.
if ! grep -qs pam_umask /etc/pam.d/common-session; then
    mkdir -p /usr/share/pam-configs
    cat > /usr/share/pam-configs/bakeline-umask <<'CONF'
Name: Default umask of login.defs
Default: yes
Priority: 128
Session-Type: Additional
Session:
	optional	pam_umask.so
CONF
    pam-auth-update --package
fi

# Nobody logs in as root by password, and system accounts have no login shell.
passwd -l root >/dev/null
awk -F: '$3 > 0 && $3 < 1000 && $7 !~ /(nologin|false|sync)$/ { print $1 }' /etc/passwd | while read -r account; do
    usermod -s /usr/sbin/nologin "$account"
done

# A login by key ends at the maximum age of a password, also of an account that has none (pam_unix(8), account). EC2
# knows keys only: cloud-init's user would be locked out after 60 days. So accounts without a usable password don't age.
cat > /usr/local/sbin/bakeline-no-password-no-age <<'SCRIPT'
#!/bin/sh
# Lets passwords that can't be used to log in (locked or none) not expire. Started once at each boot, after cloud-init.
set -eu
awk -F: '$2 ~ /^[!*]/ && $5 != "" && $5 >= 0 && $5 < 99999 { print $1 }' /etc/shadow | while read -r account; do
    chage -m 0 -M -1 "$account"
done
SCRIPT
chmod 0755 /usr/local/sbin/bakeline-no-password-no-age
cat > /etc/systemd/system/bakeline-no-password-no-age.service <<'UNIT'
[Unit]
Description=Passwords that can't be used don't expire
# The first was called cloud-init.service before cloud-init 24.3; both make the users.
After=cloud-init-network.service cloud-init.service
Before=ssh.service systemd-user-sessions.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/bakeline-no-password-no-age

[Install]
WantedBy=multi-user.target
UNIT
chmod 0644 /etc/systemd/system/bakeline-no-password-no-age.service
systemctl enable bakeline-no-password-no-age.service
/usr/local/sbin/bakeline-no-password-no-age

# No core dumps: they hold what was in memory (limits.conf(5), coredump.conf(5)).
mkdir -p /etc/security/limits.d /etc/systemd/coredump.conf.d
echo '* hard core 0' > /etc/security/limits.d/60-bakeline.conf
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' > /etc/systemd/coredump.conf.d/60-bakeline.conf
chmod 0644 /etc/security/limits.d/60-bakeline.conf /etc/systemd/coredump.conf.d/60-bakeline.conf
