# key path: the certificates of a PEM file, and nothing else that is in it.
certificate() {
  if ! place "$2" 1; then
    put certificate "$1" 3 'too many levels of symbolic links'
    return
  fi
  look certificate_file "$1" -ldn "$at"
  if [ "$state" != 0 ]; then
    put certificate "$1" "$state" "$line"
  elif [ ! -f "$at" ]; then
    put certificate "$1" 3 'it is no file'
  elif [ ! -r "$at" ]; then
    put certificate "$1" 2 'Permission denied'
  else
    h=$(sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$at" 2>/dev/null | head -c "$((CAP + 1))" | hex)
    if [ "${#h}" -gt "$((CAP * 2))" ]; then emit certificate "$1" 0 t "$h"; else emit certificate "$1" 0 - "$h"; fi
  fi
}

