# Hardens a base image, first part: forbidden packages, required packages, the time source, and the
# policies of the platform.
set -eu
umask 022
@{ package_manager | safe }@

# Services with passwords in plain text, and prelink, which undoes address randomization (dev-sec
# package-01 to package-09).
needless='telnet telnet-server rsh rsh-server talk talk-server ntalk ftp tftp tftp-server xinetd ypserv ypbind prelink'
found=
for package in $needless; do
    if rpm -q "$package" >/dev/null; then found="$found $package"; fi
done
# shellcheck disable=SC2086 # names of packages
if [ -n "$found" ]; then remove_packages $found; fi

# auditd needs the audit system of the kernel, which containers cannot use. The drop-in is written
# before the installation, so that systemd skips auditd in a container. Elsewhere it has no effect.
# audit 4 loads the rules in a separate unit.
for unit in auditd.service audit-rules.service; do
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '[Unit]\nConditionVirtualization=!container\n' > "/etc/systemd/system/$unit.d/bakeline.conf"
done
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
install_packages audit chrony
systemctl enable auditd.service chronyd.service
# AL2023 ships a rule that disables all others (Amazon Linux 2023 User Guide, "auditd").
if [ -d /etc/audit/rules.d ]; then
    find /etc/audit/rules.d -name '*.rules' -exec sed -i -E '/^-a[[:space:]]*(never,task|task,never)/d' {} +
fi

# The Amazon Time Sync Service has this address in every VPC (Amazon EC2 User Guide, "Set the time
# reference"). AL2023 has a configuration for it already.
conf=/etc/chrony.conf
if [ -f "$conf" ] && ! grep -rqs '169\.254\.169\.123' "$conf" /etc/chrony.d /run/chrony.d; then
    printf 'server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\n' >> "$conf"
fi

# authselect owns the files of PAM (authselect(8)). A system without a selected profile keeps its
# files.
if command -v authselect >/dev/null && authselect current >/dev/null 2>&1; then
    for feature in with-faillock without-nullok; do
        authselect enable-feature "$feature" >/dev/null || echo "authselect: the profile has no $feature" >&2
    done
    authselect apply-changes >/dev/null
fi
# The policy LEGACY permits SHA-1 and small keys (update-crypto-policies(8)). Stricter policies stay.
if command -v update-crypto-policies >/dev/null; then
    case $(update-crypto-policies --show) in LEGACY*) update-crypto-policies --set DEFAULT >/dev/null ;; esac
fi
# SELinux keeps its mode: nothing here needs an exception. This script only reports a source in the
# mode `disabled` or `permissive`: enforcing mode needs a reboot that labels all files again.
selinux=/etc/selinux/config
if [ -f "$selinux" ] && ! grep -q '^SELINUX=enforcing' "$selinux"; then
    echo "SELinux is not enforcing in the source: $(grep '^SELINUX=' "$selinux" || echo 'no mode is set')" >&2
fi
