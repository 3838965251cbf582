# unit directories: services that keep the time, where they get it from, and whether they have it.
time_sync() {
  # shellcheck disable=SC2086 # words
  from $1
  listing time_units 2 -name 'chrony*.service' -o -name 'systemd-timesyncd.service' -o -name 'ntp*.service' -o -name 'openntpd.service'
  from /etc/chrony /etc/chrony.conf /etc/chrony.d /etc/systemd/timesyncd.conf /etc/systemd/timesyncd.conf.d \
    /usr/lib/systemd/timesyncd.conf.d /etc/ntp.conf /etc/ntpsec /etc/openntpd
  walked time_servers 2 -type f '(' -name '*.conf' -o -name '*.sources' ')' -exec awk '{ sub(/^[ \t]+/, "") }
    tolower($1) ~ /^(server|servers|pool|peer|(fallback)?ntp=.*|(fallback)?ntp)$/ { print FILENAME "\t" $0 }' '{}' +
  [ "$owned" = yes ] && [ -z "$R" ] || return 0
  if [ -e /run/systemd/timesync/synchronized ]; then
    put time_synchronised - 0 'timesyncd: yes'
  elif command -v chronyc >/dev/null && said=$(limit 10 chronyc -n tracking 2>/dev/null); then
    case $said in *'Leap status     : Not synchronised'*) said='chrony: no' ;; *'Leap status'*) said='chrony: yes' ;; esac
    put time_synchronised - 0 "$said"
  elif command -v timedatectl >/dev/null && said=$(limit 10 timedatectl show -p NTPSynchronized --value 2>/dev/null); then
    put time_synchronised - 0 "timedatectl: $said"
  else
    put time_synchronised - 3 'neither timesyncd, chronyc nor timedatectl tells'
  fi
}

