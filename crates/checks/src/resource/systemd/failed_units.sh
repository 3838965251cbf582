failed_units() {
  [ -d /run/systemd/system ] || return 0
  if rows=$(limit 30 systemctl list-units --all --state=failed --plain --no-legend --no-pager 2>&1); then
    put failed_units - 0 "$rows"
  else
    put failed_units - 3 "$rows"
  fi
}

