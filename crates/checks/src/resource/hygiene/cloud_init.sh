# cloud-init: what is installed and enabled, what is left of instances, and how the last run went. `cloud-init status` itself
# reads the same files, in half a second.
cloud_init() {
  # shellcheck disable=SC2086 # words
  from /usr/bin/cloud-init /usr/local/bin/cloud-init /etc/cloud/cloud-init.disabled /var/lib/cloud $1
  listing cloud_init 2 -name 'cloud-*' -o -path './var/lib/cloud/*'
  [ -z "$R" ] || return 0
  if [ -e /run/cloud-init/disabled ]; then
    put cloud_status - 0 disabled
  elif [ ! -e /run/cloud-init/status.json ]; then
    put cloud_status - 0 'not run'
  elif [ ! -r /run/cloud-init/status.json ]; then
    put cloud_status - 2 'Permission denied'
  else
    going=running
    if [ -e /run/cloud-init/result.json ]; then going=finished; fi
    put cloud_status - 0 "$going$nl$(head -c "$CAP" /run/cloud-init/status.json 2>/dev/null)"
  fi
}

