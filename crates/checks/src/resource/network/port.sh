# Sockets that wait for somebody: `protocol address:port inode`, as the kernel shows them in the own network namespace.
listening() {
  [ -z "$R" ] || return 0
  rows='' readable=''
  for table in tcp tcp6 udp udp6; do
    [ ! -r "/proc/net/$table" ] || readable="$readable /proc/net/$table"
  done
  if [ -z "$readable" ]; then
    put listening - 3 '/proc/net can not be read'
    return
  fi
  # shellcheck disable=SC2086 # words
  rows=$(awk 'FNR == 1 { n = split(FILENAME, part, "/"); next }
    ($4 == "0A" && part[n] ~ /^tcp/) || ($4 == "07" && part[n] ~ /^udp/) { print part[n], $2, $10 }' $readable 2>/dev/null)
  put listening - 0 "$rows"
}

# Whose they are: `inode program`.
socket_owners() {
  rows=$(
    set +f
    # shellcheck disable=SC2012 # links' targets, and names that are numbers
    limit 20 sh -c 'ls -l /proc/[0-9]*/fd 2>/dev/null' | awk '
      /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/"); pid = part[3]; next }
      / -> socket:\[[0-9]+\]$/ { sub(/.*\[/, ""); sub(/\]$/, ""); if (!(($0, pid) in seen)) { seen[$0, pid] = 1; print $0, pid } }' |
      while read -r inode pid; do
        name=''
        if [ -r "/proc/$pid/comm" ]; then read -r name <"/proc/$pid/comm"; fi
        printf '%s %s\n' "$inode" "$name"
      done
  ) 2>/dev/null
  put socket_owners - 0 "$rows"
}

