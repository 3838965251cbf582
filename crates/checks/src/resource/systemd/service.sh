# units...: one call where a manager runs, else one per unit, which works in a chroot too.
services() {
  if ! command -v systemctl >/dev/null; then
    put services - 3 'systemctl is not there'
    return
  fi
  if [ -d /run/systemd/system ]; then
    rows=$(limit 30 systemctl show --no-pager --property=LoadState,ActiveState,UnitFileState -- "$@" 2>&1)
  else
    rows=$(for unit in "$@"; do
      state=$(limit 20 systemctl is-enabled -- "$unit" 2>/dev/null)
      if [ -z "$state" ]; then
        why=$(limit 20 systemctl is-enabled -- "$unit" 2>&1)
        case $why in
        *'No such file or directory') state=not-found ;;
        *) printf 'Problem=%s\n' "$(printf '%s' "$why" | tr '\n' ' ')" ;;
        esac
      fi
      printf 'UnitFileState=%s\n\n' "$state"
    done)
  fi
  put services - 0 "$(printf '%s\n' "$@" && printf '\n%s\n' "$rows")"
}

