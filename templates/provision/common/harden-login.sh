# Hardens a base image: accounts, password age, umask, core dumps.
set -eu
umask 022

# option NAME VALUE: sets an option exactly once in login.defs(5), which has no drop-in directory.
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
@% if platform == "debian" or platform == "ubuntu" %@# crypt(5) recommends YESCRYPT. It is the default of Debian 13.
option ENCRYPT_METHOD YESCRYPT
@% else %@# Ranges of system accounts, as shadow-utils of these systems sets them.
option SYS_UID_MIN 201
option SYS_UID_MAX 999
option SYS_GID_MIN 201
option SYS_GID_MAX 999
@% endif %@# With UMASK 027 only, a home directory would be readable for its group.
option HOME_MODE 0700
chown root:root /etc/login.defs
chmod 0644 /etc/login.defs

@% if platform == "debian" or platform == "ubuntu" %@# pam_umask(8) applies UMASK to every session. Debian 12 has it but does not use it.
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
@% endif %@
# root has no password login, and system accounts have no login shell.
passwd -l root >/dev/null
awk -F: '$3 > 0 && $3 < 1000 && $7 !~ /(nologin|false|sync)$/ { print $1 }' /etc/passwd | while read -r account; do
    usermod -s /usr/sbin/nologin "$account"
done

# A login by key fails at the maximum age of the password, also for an account without one
# (pam_unix(8), account). EC2 uses keys only, so the user of cloud-init would be locked out after 60
# days. Accounts without a usable password therefore do not expire.
cat > /usr/local/sbin/bakeline-no-password-no-age <<'SCRIPT'
#!/bin/sh
# Disables the expiry of passwords that are locked or empty. Runs at each boot, after cloud-init.
set -eu
awk -F: '$2 ~ /^[!*]/ && $5 != "" && $5 >= 0 && $5 < 99999 { print $1 }' /etc/shadow | while read -r account; do
    chage -m 0 -M -1 "$account"
done
SCRIPT
chmod 0755 /usr/local/sbin/bakeline-no-password-no-age
cat > /etc/systemd/system/bakeline-no-password-no-age.service <<'UNIT'
[Unit]
Description=Passwords that can't be used don't expire
# Before cloud-init 24.3 the first unit was named cloud-init.service. Both create the users.
After=cloud-init-network.service cloud-init.service
Before=ssh.service sshd.service systemd-user-sessions.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/bakeline-no-password-no-age

[Install]
WantedBy=multi-user.target
UNIT
chmod 0644 /etc/systemd/system/bakeline-no-password-no-age.service
systemctl enable bakeline-no-password-no-age.service
/usr/local/sbin/bakeline-no-password-no-age

# Core dumps can contain secrets of the memory (limits.conf(5), coredump.conf(5)).
mkdir -p /etc/security/limits.d /etc/systemd/coredump.conf.d
echo '* hard core 0' > /etc/security/limits.d/60-bakeline.conf
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' > /etc/systemd/coredump.conf.d/60-bakeline.conf
chmod 0644 /etc/security/limits.d/60-bakeline.conf /etc/systemd/coredump.conf.d/60-bakeline.conf
