# Log files; the journal of this machine is left out, which would tell its machine id. What nothing was written to since
# the service manager made its socket is older than this boot.
logs() {
  mine='!none' line=''
  if place /etc/machine-id 1 && [ -r "$at" ]; then read -r line <"$at"; fi
  case $line in *[!0-9a-f]* | '') ;; *) mine=$line ;; esac
  from /var/log
  listing logs 8 ! '(' -name "$mine" -prune ')'
  if [ -z "$R" ] && [ -e /run/systemd/notify ]; then
    listing old-logs 8 ! '(' -name journal -prune ')' -type f ! -newer /run/systemd/notify
  fi
}

