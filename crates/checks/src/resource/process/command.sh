# label: what it reads, cut at CAP + 1 bytes; the rest is read too, so that no writer dies of it.
grab() {
  h=$(drain | { head -c "$((CAP + 1))" && cat >/dev/null; } | hex)
  echo "$1:$h"
}

# key seconds text; a background process that keeps a pipe open is waited for a little. The lines come in the order r, l,
# o, e: each reader ends after the writers before it.
command_() {
  late=$(($2 + 5))
  # shellcheck disable=SC2016 # expanded by the inner shell
  got=$(
    {
      {
        {
          limit "$2" sh -c '(exec 3>&- 4>&-; exec sh -c "$0"); echo "r:$?" >&3' "$3" </dev/null 2>&4
          echo "l:$?" >&3
        } | grab o >&3
      } 4>&1 | grab e >&3
    } 3>&1 2>/dev/null
  )
  rc='' outer='' out='' err=''
  for word in $got; do
    case $word in
    r:*) rc=${word#r:} ;;
    l:*) outer=${word#l:} ;;
    o:*) out=${word#o:} ;;
    e:*) err=${word#e:} ;;
    esac
  done
  if [ -n "$rc" ]; then
    emit exit "$1" "$rc" - ''
  else
    case $outer in
    124 | 137 | 143) emit exit "$1" 124 T '' ;;
    *) emit exit "$1" 255 X '' ;;
    esac
  fi
  if [ "${#out}" -gt "$((CAP * 2))" ]; then emit out "$1" 0 t "$out"; else emit out "$1" 0 - "$out"; fi
  if [ "${#err}" -gt "$((CAP * 2))" ]; then emit err "$1" 0 t "$err"; else emit err "$1" 0 - "$err"; fi
}

