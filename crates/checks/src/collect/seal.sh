# Digests of the files that tell one machine from another, so that a builder's can be found again on an instance of its image.
seal() {
  if ! command -v sha256sum >/dev/null 2>&1; then
    put seal - 3 'sha256sum is not installed'
    return
  fi
  set +f
  digests=$(
    for path in /etc/machine-id /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/ssh/ssh_host_*_key.pub; do
      if [ ! -f "$path" ] || [ ! -s "$path" ] || [ -L "$path" ]; then continue; fi
      # The third word of a public key is a comment.
      case $path in
      *.pub) digest=$(sed 's/^\([^ ]* [^ ]*\).*/\1/' "$path" | sha256sum) ;;
      *) digest=$(sha256sum <"$path") ;;
      esac
      printf '%s %s\n' "${digest%% *}" "$path"
    done
  )
  set -f
  put seal - 0 "$digests"
}

