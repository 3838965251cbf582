# Finds what tells one machine from another, so that a builder's identity can be found again on an instance of its image:
# digests of identity files, and the state files that are older than this boot. The service manager creates its socket
# early in the boot.
seal() {
  if ! command -v sha256sum >/dev/null 2>&1; then
    put seal - 3 'sha256sum is not installed'
    return
  fi
  set +f
  found=$(
    for path in /etc/machine-id /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret \
      /var/lib/NetworkManager/secret_key /etc/pki/consumer/cert.pem /etc/ssh/ssh_host_*_key.pub \
      /etc/sudoers.d/90-cloud-init-users; do
      if [ ! -f "$path" ] || [ ! -s "$path" ] || [ -L "$path" ]; then continue; fi
      case $path in
        # The third word of a public key is a comment.
        *.pub) digest=$(cut -d ' ' -f 1,2 <"$path" | sha256sum) ;;
        # The first line has the version and the time of cloud-init, which later appends to an existing file.
        /etc/sudoers.d/*)
          grep -q '^# Created by cloud-init ' "$path" || continue
          digest=$(head -n 1 <"$path" | sha256sum)
          ;;
        *) digest=$(sha256sum <"$path") ;;
      esac
      printf '%s %s\n' "${digest%% *}" "$path"
    done
    for path in /var/lib/systemd/timers/stamp-* /var/lib/dhcp/*.leases /var/lib/dhclient/*.lease* /var/lib/chrony/* \
      /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/timestamps /var/lib/NetworkManager/seen-bssids \
      /etc/NetworkManager/system-connections/cloud-init-*; do
      if [ ! -f "$path" ] || [ -L "$path" ] || [ ! -e /run/systemd/notify ]; then continue; fi
      if [ ! "$path" -nt /run/systemd/notify ]; then printf 'old %s\n' "$path"; fi
    done
  )
  set -f
  put seal - 0 "$found"
}
