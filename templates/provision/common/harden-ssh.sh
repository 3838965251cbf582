# Hardens a base image: sshd and ssh, by drop-ins, so that the files of the package do not change.
set -eu
umask 022
mkdir -p /etc/ssh/sshd_config.d /etc/ssh/ssh_config.d

# Strongest first. A Go client of 2020 (Packer 1.6.6) supports curve25519-sha256@libssh.org,
# aes128-gcm@openssh.com and hmac-sha2-256-etm@openssh.com. Post-quantum key exchanges are included
# if this OpenSSH supports them.
supported=$(ssh -Q kex)
kex=
for one in mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256 \
    curve25519-sha256@libssh.org diffie-hellman-group-exchange-sha256; do
    if printf '%s\n' "$supported" | grep -qxF "$one"; then kex=${kex:+$kex,}$one; fi
done
ciphers=chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
macs=hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-512,hmac-sha2-256

# The first value of an option applies, and drop-ins are read first (sshd_config(5)). Numbers in
# comments are those of dev-sec ssh-baseline.
cat > /etc/ssh/sshd_config.d/10-bakeline.conf <<CONF
# sshd-01 to 03
Ciphers $ciphers
KexAlgorithms $kex
MACs $macs
# sshd-06 to 09
PermitRootLogin no
AddressFamily any
ListenAddress 0.0.0.0
ListenAddress ::
# sshd-11 to 13
StrictModes yes
SyslogFacility AUTH
LogLevel VERBOSE
# sshd-17 to 21
PermitUserEnvironment no
LoginGraceTime 30
MaxAuthTries 2
MaxSessions 10
MaxStartups 10:30:60
# sshd-22 to 29: login by key only
PubkeyAuthentication yes
IgnoreRhosts yes
IgnoreUserKnownHosts yes
HostbasedAuthentication no
PasswordAuthentication no
PermitEmptyPasswords no
KbdInteractiveAuthentication no
# sshd-30 to 34
KerberosAuthentication no
KerberosOrLocalPasswd no
KerberosTicketCleanup yes
GSSAPIAuthentication no
GSSAPICleanupCredentials yes
# sshd-35 to 37: lost clients are detected in the encrypted channel
TCPKeepAlive no
ClientAliveInterval 300
ClientAliveCountMax 3
# sshd-38 to 43: no forwarding
PermitTunnel no
AllowTcpForwarding no
AllowAgentForwarding no
GatewayPorts no
X11Forwarding no
X11UseLocalhost yes
# sshd-44 to 47
PrintMotd no
PrintLastLog no
Banner none
@% if platform == "debian" or platform == "ubuntu" %@DebianBanner no
@% endif %@CONF
chmod 0600 /etc/ssh/sshd_config.d/10-bakeline.conf

cat > /etc/ssh/ssh_config.d/10-bakeline.conf <<CONF
Host *
    AddressFamily any
    Port 22
    BatchMode no
    CheckHostIP yes
    StrictHostKeyChecking ask
    Ciphers $ciphers
    KexAlgorithms $kex
    MACs $macs
    ForwardAgent no
    ForwardX11 no
    HostbasedAuthentication no
    PasswordAuthentication no
    GSSAPIAuthentication no
    GSSAPIDelegateCredentials no
    Tunnel no
    PermitLocalCommand no
CONF
chmod 0644 /etc/ssh/ssh_config.d/10-bakeline.conf /etc/ssh/ssh_config

chown root:root /etc/ssh /etc/ssh/sshd_config /etc/ssh/ssh_config
chmod 0755 /etc/ssh
chmod 0600 /etc/ssh/sshd_config
# sshd-48: groups of at least 2048 bits. The fifth field of moduli(5) is the size minus one.
if awk '$1 !~ /^#/ && $5 < 2047 { found = 1 } END { exit !found }' /etc/ssh/moduli; then
    awk '$1 ~ /^#/ || $5 >= 2047' /etc/ssh/moduli > /etc/ssh/moduli.bakeline
    cat /etc/ssh/moduli.bakeline > /etc/ssh/moduli
    rm -f /etc/ssh/moduli.bakeline
fi
mkdir -p /run/sshd
sshd -t
