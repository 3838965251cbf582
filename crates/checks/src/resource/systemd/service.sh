# units...: the last lines in the journal of each unit that failed or waits for its next start.
journals() {
  command -v journalctl >/dev/null || return
  for state in $(limit 20 systemctl is-active -- "$@" 2>/dev/null); do
    case $state in
    failed | activating)
      lines=$(limit 20 journalctl --no-pager --quiet --output=cat --lines=10 --unit="$1" 2>/dev/null | without_secrets)
      put journal "$(printf %s "$1" | hex)" 0 "$lines"
      ;;
    esac
    shift
  done
}

# units...: one call with a running service manager, else one call for each unit, which also works
# in a chroot.
services() {
  if ! command -v systemctl >/dev/null; then
    put services - 3 'systemctl is not installed'
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
  case $rows in *ActiveState=failed* | *ActiveState=activating*) journals "$@" ;; esac
}

