# Every file of authorized keys that sshd reads: its defaults, and what sshd_config names. Of a key its type, the names of
# its options and its comment are told, not the key.
authorized_keys() {
  from /etc/ssh/sshd_config /etc/ssh/sshd_config.d
  follow '*.conf'
  old=$IFS
  IFS=$nl
  named='' unread=''
  # shellcheck disable=SC2086 # one a line
  [ -z "$walk" ] || named=$(cd "$R/." && set -- $walk && limit 20 find "$@" -maxdepth 1 \
    '(' -name '*.conf' -o -name sshd_config $leads ')' -type f \
    -exec awk "$argv"'tolower($0) ~ /^[ \t\r]*"?authorizedkeysfile"?[ \t=]/ { argv($0) }' '{}' + 2>/dev/null) || unread=yes
  rows='' walk='' seen=$nl
  for user in $(printf '%s\n' "$people" | cut -d: -f1,3,6); do
    home=${user#*:*:} uid=${user#*:}
    uid=${uid%%:*} user=${user%%:*}
    case $home in /*) keys_of ;; esac
  done
  IFS=$old
  if [ -n "$unread" ]; then
    put key_files - 3 'sshd_config could not be read'
  elif [ -n "$people" ]; then
    put key_files - 0 "$rows"
  else
    put key_files - 3 'the table of accounts could not be read'
  fi
  listing key_stats 0 -name '*'
}

# user, uid, home: adds to `rows` and `walk`, and tells what the files hold.
keys_of() {
  resolve "$home" 1 || return 0
  base=$real
  for pattern in .ssh/authorized_keys .ssh/authorized_keys2 $named; do
    [ "$pattern" != none ] || continue
    expand "$pattern"
    case $path in /*) ;; *) path=$home/$path ;; esac
    resolve "$path" 1 || continue
    there "$real" || continue
    case $nl$rows in *"$nl$user:$uid:$base:$real$nl"*) continue ;; esac
    rows=$rows$user:$uid:$base:$real$nl
    case $seen in *"$nl$real$nl"*) continue ;; esac
    seen=$seen$real$nl
    walk=$walk.$real$nl.${real%/*}$nl.$base$nl
    keys_in
  done
}

# pattern: sets `path`, with sshd's tokens put in.
expand() {
  rest=$1 path=''
  while :; do
    case $rest in *%*) ;; *) break ;; esac
    path=$path${rest%%"%"*} rest=${rest#*"%"}
    case $rest in
    h*) path=$path$home ;;
    u*) path=$path$user ;;
    U*) path=$path$uid ;;
    %*) path=$path% ;;
    esac
    rest=${rest#?}
  done
  path=$path$rest
}

# The file at `real`: `type<TAB>options<TAB>comment` of each key.
keys_in() {
  key=$(printf '%s' "$real" | hex)
  if [ ! -r "$R$real" ]; then
    put keys "$key" 2 'Permission denied'
  elif [ ! -f "$R$real" ]; then
    put keys "$key" 3 'it is no file'
  else
    h=$(awk '
      { sub(/^[ \t]+/, ""); sub(/\r$/, "") }
      /^(#|$)/ { next }
      {
        kind = "^(sk-)?(ssh|ecdsa)-[A-Za-z0-9@.-]+[ \t]"
        line = $0; options = ""
        if (line !~ kind) {
          n = length(line); inside = 0
          for (i = 1; i <= n; i++) {
            c = substr(line, i, 1)
            if (c == "\"" && substr(line, i - 1, 1) != "\\") inside = !inside
            if (!inside && (c == " " || c == "\t")) break
          }
          options = substr(line, 1, i - 1); line = substr(line, i + 1); sub(/^[ \t]+/, "", line)
          gsub(/\\"/, "", options); gsub(/="[^"]*"/, "", options); gsub(/\t/, " ", options)
        }
        if (line !~ kind) { print "?\t\t"; next }
        type = line; sub(/[ \t].*/, "", type); sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]*/, "", line); gsub(/\t/, " ", line)
        print type "\t" options "\t" line
      }' "$R$real" 2>/dev/null | head -c "$((CAP + 1))" | hex)
    if [ "${#h}" -gt "$((CAP * 2))" ]; then emit keys "$key" 0 t "$h"; else emit keys "$key" 0 - "$h"; fi
  fi
}

