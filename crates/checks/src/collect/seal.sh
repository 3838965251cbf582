# Digests of the files that tell one machine from another, and of its state, so that a builder's can be found again on an
# instance of its image. The files with the last runs of timers are empty: their times count.
seal() {
  if ! command -v sha256sum >/dev/null 2>&1; then
    put seal - 3 'sha256sum is not installed'
    return
  fi
  set +f
  digests=$(
    for path in /etc/machine-id /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret \
      /etc/ssh/ssh_host_*_key.pub /var/lib/dhcp/*.leases /var/lib/dhclient/*.lease* /var/lib/chrony/* \
      /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/timestamps \
      /var/lib/NetworkManager/seen-bssids /etc/NetworkManager/system-connections/cloud-init-*; do
      if [ ! -f "$path" ] || [ ! -s "$path" ] || [ -L "$path" ]; then continue; fi
      # The third word of a public key is a comment.
      case $path in
      *.pub) digest=$(sed 's/^\([^ ]* [^ ]*\).*/\1/' "$path" | sha256sum) ;;
      *) digest=$(sha256sum <"$path") ;;
      esac
      printf '%s %s\n' "${digest%% *}" "$path"
    done
    for path in /var/lib/systemd/timers/stamp-*; do
      if [ -f "$path" ] && [ ! -L "$path" ]; then printf 'time-%s %s\n' "$(stat -c %Y "$path")" "$path"; fi
    done
  )
  set -f
  put seal - 0 "$digests"
}

