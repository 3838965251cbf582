# Files that hold a private key, by their first words, also where they are indented or quoted, or, where those are binary, by their names; never their content.
private_keys() {
  below_homes .ssh .gnupg
  keys=$walk
  from /etc /root /home
  walk=$walk$keys
  through=keys_found
  walked private_keys 64 -type f '(' -path '*/private-keys-v1.d/*' -o -name '*.p12' -o -name '*.pfx' -o -name '*.jks' ')' -print \
    -o -type f -size -129 ! -path './etc/ssh/ssh_host_*_key' \
    -exec grep -l -E -e '^[[:space:]]*([[:alnum:]_]+:[[:space:]]*)?["'\''|]*-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----' \
    -e '^PuTTY-User-Key-File-' -e '^AGE-SECRET-KEY-1' -- '{}' +
}

# Paths on standard input become lines of `ls`; what is no path stays.
keys_found() {
  set --
  while IFS= read -r path; do
    case $path in ./*) set -- "$@" "$path" ;; *) printf '%s\n' "$path" ;; esac
  done
  [ "$#" = 0 ] || (cd "$R/." && ls -ldn -- "$@" 2>&1)
}

