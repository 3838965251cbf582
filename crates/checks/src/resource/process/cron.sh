# Sends `path<TAB>line` of the cron tables without comments. Text that looks like a password is
# removed.
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

