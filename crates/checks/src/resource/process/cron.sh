# `path<TAB>line` of what cron is told, without comments; what looks like a password stays here.
cron() {
  lines='!/^[ \t]*(#|$)/ { print FILENAME "\t" $0 }'
  from /etc/crontab /etc/cron.d /var/spool/cron/crontabs /var/spool/cron
  through=without_secrets
  walked cron_tables 1 -type f ! -name '.*' -exec awk "$lines" '{}' +
  from /etc/cron.allow /etc/cron.deny
  walked cron_access 0 -type f -exec awk "$lines" '{}' +
  from /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.allow /etc/cron.deny
  listing cron_scripts 1 -type f
}

