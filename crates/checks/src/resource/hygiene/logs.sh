# Sends log files. The journal of this machine is not included because its path contains the
# machine ID. A file is older than this boot if it was not written after the service manager
# created its socket.
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

