# properties units...: one call for all.
unit_properties() {
  [ -d /run/systemd/system ] || return 0
  asked=$1
  shift
  if rows=$(limit 30 systemctl show --no-pager --property="$asked" -- "$@" 2>&1); then
    put unit_properties - 0 "$(printf '%s\n' "$@" && printf '\n%s\n' "$rows" | without_secrets '/^Exec/')"
  else
    put unit_properties - 3 "$rows"
  fi
}

