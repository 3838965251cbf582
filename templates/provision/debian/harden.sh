# Hardens a base image, first part: forbidden packages, required packages, and the time source.
set -eu
umask 022
@{ package_manager | safe }@

# Services with passwords in plain text, and prelink, which undoes address randomization (dev-sec
# package-01 to package-09).
needless='telnet telnetd inetutils-telnet inetutils-telnetd rsh-client rsh-server rsh-redone-client rsh-redone-server
 talk talkd ntalk ftp tnftp tftp tftpd tftpd-hpa atftpd inetd xinetd openbsd-inetd inetutils-inetd ypserv nis yp-tools
 prelink'
found=
for package in $needless; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    case $state in '' | not-installed) ;; *) found="$found $package" ;; esac
done
# shellcheck disable=SC2086 # names of packages
if [ -n "$found" ]; then remove_packages $found; fi

# auditd needs the audit system of the kernel, which containers cannot use. The condition exists
# before the installation, so that the first start is skipped there and does not fail. It has no
# effect on a machine.
mkdir -p /etc/systemd/system/auditd.service.d
cat > /etc/systemd/system/auditd.service.d/bakeline.conf <<'CONF'
[Unit]
ConditionVirtualization=!container
CONF
# Debian 13 loads the rules in a separate unit.
mkdir -p /etc/systemd/system/audit-rules.service.d
cp /etc/systemd/system/auditd.service.d/bakeline.conf /etc/systemd/system/audit-rules.service.d/bakeline.conf
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

install_packages acl auditd chrony kmod libpam-runtime

# The Amazon Time Sync Service has this address in every VPC (Amazon EC2 User Guide, "Set the time
# reference"). The pool of Debian is the second choice.
mkdir -p /etc/chrony/sources.d
cat > /etc/chrony/sources.d/amazon.sources <<'CONF'
server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4
CONF
