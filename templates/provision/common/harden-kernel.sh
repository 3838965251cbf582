# Hardens a base image: kernel parameters (sysctl.d(5)) and modules (modprobe.d(5)) at the next
# boot.
set -eu
umask 022
mkdir -p /etc/sysctl.d /etc/modprobe.d
# Numbers are those of dev-sec linux-baseline. The kernel documents the parameters in
# networking/ip-sysctl and admin-guide/sysctl. kernel.modules_disabled is not set: 1 would prevent
# nftables and others from loading modules, and the kernel rejects 0 (kernel/module/main.c).
cat > /etc/sysctl.d/60-bakeline.conf <<'CONF'
# sysctl-01, 19: no forwarding
net.ipv4.ip_forward = 0
net.ipv4.conf.all.forwarding = 0
net.ipv6.conf.all.forwarding = 0
# sysctl-02: strict reverse path filter. The larger value of `all` and of the interface applies, and
# Debian 13 sets the interfaces to 2 (loose).
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.*.rp_filter = 1
# sysctl-03 to 06: ICMP
net.ipv4.icmp_ignore_bogus_error_responses = 1
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.icmp_ratelimit = 100
net.ipv4.icmp_ratemask = 88089
# sysctl-07, 10, 11: TCP
net.ipv4.tcp_timestamps = 0
net.ipv4.tcp_rfc1337 = 1
net.ipv4.tcp_syncookies = 1
# sysctl-08, 09: ARP for the addresses of the asked interface only
net.ipv4.conf.all.arp_ignore = 1
net.ipv4.conf.all.arp_announce = 2
# sysctl-12: an interface belongs to one network (RFC 1620)
net.ipv4.conf.all.shared_media = 1
net.ipv4.conf.default.shared_media = 1
# sysctl-13: no source routes
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.default.accept_source_route = 0
net.ipv6.conf.all.accept_source_route = 0
net.ipv6.conf.default.accept_source_route = 0
# sysctl-14 to 16, 20: no redirects, in or out
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.secure_redirects = 0
net.ipv4.conf.default.secure_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
# sysctl-17: log packets with impossible addresses
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.default.log_martians = 1
# sysctl-21 to 28: the kernel accepts no address and no route of router advertisements.
# systemd-networkd, which the EC2 images of Debian use, handles them for configured interfaces.
net.ipv6.conf.all.router_solicitations = 0
net.ipv6.conf.default.router_solicitations = 0
net.ipv6.conf.default.accept_ra_rtr_pref = 0
net.ipv6.conf.default.accept_ra_pinfo = 0
net.ipv6.conf.default.accept_ra_defrtr = 0
net.ipv6.conf.all.accept_ra = 0
net.ipv6.conf.default.accept_ra = 0
net.ipv6.conf.all.autoconf = 0
net.ipv6.conf.default.autoconf = 0
net.ipv6.conf.default.dad_transmits = 0
net.ipv6.conf.default.max_addresses = 1
# sysctl-30: no SysRq
kernel.sysrq = 0
# sysctl-31: no core dumps of setuid programs
fs.suid_dumpable = 0
# sysctl-32: full address space randomization
kernel.randomize_va_space = 2
# sysctl-34: protected links and files in world-writable directories
fs.protected_fifos = 2
fs.protected_hardlinks = 1
fs.protected_regular = 2
fs.protected_symlinks = 1
# sysctl-35: only root can trace other processes
kernel.yama.ptrace_scope = 2
# In addition to the baseline: kernel addresses and messages are visible to root only
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
CONF
chmod 0644 /etc/sysctl.d/60-bakeline.conf

# os-10 (CIS 1.1.1) and the protocols of CIS 3.4, which EC2 does not need. `false` makes an attempt
# to load them fail visibly.
{
    for module in cramfs freevxfs jffs2 hfs hfsplus squashfs udf usb-storage firewire-core dccp sctp rds tipc; do
        echo "install $module /bin/false"
    done
    # The EFI system partition is vfat, and a system that cannot mount it does not boot.
    if ! awk '$1 !~ /^#/ && $3 == "vfat" { found = 1 } END { exit !found }' /etc/fstab && [ ! -d /boot/efi ]; then
        echo "install vfat /bin/false"
    fi
} > /etc/modprobe.d/bakeline.conf
chmod 0644 /etc/modprobe.d/bakeline.conf
if command -v update-initramfs >/dev/null && [ -n "$(find /boot -maxdepth 1 -name 'initrd.img-*')" ]; then
    update-initramfs -u -k all
fi
