# Sends build artifacts: all files in some directories, and names in /etc.
leftovers() {
  below_homes .ansible .ansible_async .packer.d .puppetlabs .cache/pip
  tools=$walk
  from /tmp /var/tmp /var/lib/apt/lists /var/cache/apt /var/cache/dnf /var/cache/yum /var/cache/libdnf5 \
    /var/lib/systemd/coredump /var/crash /var/lib/dhcp /var/lib/dhclient /var/lib/NetworkManager /var/lib/dhcpcd \
    /var/lib/systemd/random-seed /var/lib/urandom/random-seed /opt/packer /opt/puppet-bootstrap /core /etc
  walk=$tools$walk
  listing leftovers 6 ! '(' '(' -path './tmp/*/*' -o -path './var/tmp/*/*' -o -path '*/.ansible/*' -o -path '*/.cache/pip/*' \
    -o -path '*/.packer.d/*' -o -path '*/.puppetlabs/*' ')' -prune ')' '(' ! -path './etc*' \
    -o -name '*.dpkg-*' -o -name '*.ucf-*' -o -name '*.rpmnew' -o -name '*.rpmsave' -o -name '*.rpmorig' -o -name '*~' \
    -o -name '*.bak' -o -name '.*.sw?' ')'
}

