# Hardens a base image: retention of auditd (auditd.conf(5)) and audit rules (audit.rules(7)).
set -eu
umask 027
conf=/etc/audit/auditd.conf
# option NAME VALUE: sets an option exactly once.
option() {
    if grep -qi "^ *$1 *=" "$conf"; then
        sed -i "s|^ *$1 *=.*|$1 = $2|I" "$conf"
    else
        printf '%s = %s\n' "$1" "$2" >> "$conf"
    fi
}
# package-08: records are never deleted (CIS 4.1.2.2). A full disk is announced to syslog first.
option log_file /var/log/audit/audit.log
option log_format ENRICHED
option flush INCREMENTAL_ASYNC
option max_log_file_action keep_logs
option space_left 75
option space_left_action SYSLOG
option action_mail_acct root
option admin_space_left 50
option admin_space_left_action SUSPEND
option disk_full_action SUSPEND
option disk_error_action SUSPEND
chmod 0640 "$conf"
chown root:root "$conf"

cat > /etc/audit/rules.d/50-bakeline.rules <<'RULES'
## CIS Debian Linux Benchmark, "Configure Data Retention" and "Configure auditd Rules".
# The clock
-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -F key=time-change
-a always,exit -F arch=b32 -S adjtimex,settimeofday,clock_settime -F key=time-change
-w /etc/localtime -p wa -k time-change
# Accounts and their rights
-w /etc/passwd -p wa -k identity
-w /etc/group -p wa -k identity
-w /etc/shadow -p wa -k identity
-w /etc/gshadow -p wa -k identity
-w /etc/sudoers -p wa -k scope
-w /etc/sudoers.d -p wa -k scope
-w /etc/ssh/sshd_config -p wa -k sshd
-w /etc/ssh/sshd_config.d -p wa -k sshd
# Names and networks
-a always,exit -F arch=b64 -S sethostname,setdomainname -F key=system-locale
-a always,exit -F arch=b32 -S sethostname,setdomainname -F key=system-locale
-w /etc/hosts -p wa -k system-locale
# Sessions
-w /var/log/wtmp -p wa -k session
-w /var/log/btmp -p wa -k session
-w /var/log/lastlog -p wa -k logins
# Kernel modules
-a always,exit -F arch=b64 -S init_module,finit_module,delete_module -F auid>=1000 -F auid!=unset -F key=modules
-a always,exit -F arch=b32 -S init_module,finit_module,delete_module -F auid>=1000 -F auid!=unset -F key=modules
# Commands with the rights of another user
-a always,exit -F arch=b64 -S execve -C uid!=euid -F auid!=unset -F key=elevated
-a always,exit -F arch=b32 -S execve -C uid!=euid -F auid!=unset -F key=elevated
RULES
chmod 0640 /etc/audit/rules.d/50-bakeline.rules
chmod 0750 /etc/audit /etc/audit/rules.d /var/log/audit
