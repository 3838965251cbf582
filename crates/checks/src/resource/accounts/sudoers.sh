# For awk: prints `f PATH` for each included file and `d PATH` for each included directory. A path
# can be quoted, have escaped characters, or be on the next line.
# shellcheck disable=SC2016 # awk's own names
sudoers_includes='
function word(text,   i, c, quoted, out) {
  quoted = substr(text, 1, 1) == "\""
  for (i = quoted + 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "\\" && i < length(text)) c = substr(text, ++i, 1)
    else if (c == "\\" || (quoted && c == "\"")) break
    else if (!quoted && (c == " " || c == "\t")) break
    out = out c
  }
  return out
}
function report(text) {
  sub(/^[ \t]+/, "", text)
  if (word(text) != "") print kind " " word(text)
  else if (text ~ /^\\$/) return 1
  return 0
}
{ sub(/[ \t\r]+$/, "") }
pending { pending = report($0) }
/^([ \t]*@|#)include(dir)?([ \t"\\]|$)/ {
  kind = $0 ~ /^[ \t]*.includedir/ ? "d" : "f"
  sub(/^[ \t]*.include(dir)?/, "")
  pending = report($0)
}'

# path: adds the path and its parent directories to `walk`, with links followed.
sudoers_place() {
  resolve "$1" 1 || return 0
  case $real in *"$nl"*) return ;; esac
  while :; do
    case $nl$walk in *"$nl.$real$nl"*) return ;; esac
    walk=$walk.$real$nl
    [ -n "$real" ] || return 0
    real=${real%/*}
  done
}

# path: adds a line `? PATH` to `log`, and `= FILE` for each file that sudo reads in this directory.
# `-` is a missing directory, and `! REASON` an unreadable one.
sudoers_directory() {
  case $log in *"$nl? $1$nl"*) return ;; esac
  log="$log? $1$nl"
  place "$1" 1 || { log="$log! too many levels of symbolic links$nl" && return; }
  if [ ! -d "$at" ]; then
    why=$(ls -d -- "$at" 2>&1)
    case $why in
    *': No such file or directory' | *': Not a directory') log="$log-$nl" ;;
    *': Permission denied') log="$log! permission denied$nl" ;;
    *) log="$log! it is not a directory$nl" ;;
    esac
    return
  fi
  sudoers_place "$1"
  [ -r "$at" ] && [ -x "$at" ] || { log="$log! permission denied$nl" && return; }
  inside=$at
  set +f
  for entry in "$inside"/*; do
    set -f
    name=${entry##*/}
    # sudo ignores these names, so that files of package managers and editors have no effect.
    case $name in *.* | *'~' | '*') continue ;; *"$nl"*) log="$log! a file name contains a line break$nl" && return ;; esac
    if place "$1/$name" 1 && [ -f "$at" ]; then
      log="$log= $1/$name$nl"
      next=$next$1/$name$nl
    fi
  done
  set -f
}

# path: sends a file of sudoers, and sets `included` to its include directives.
sudoers_file() {
  included='' key=$(printf %s "$1" | hex)
  if ! place "$1" 1; then
    put sudoers_file "$key" 3 'too many levels of symbolic links'
  elif [ ! -e "$at" ]; then
    look sudoers_file "$key" -ldn "$at"
  elif [ ! -f "$at" ]; then
    put sudoers_file "$key" 3 'it is not a regular file'
  elif [ ! -r "$at" ]; then
    put sudoers_file "$key" 2 'Permission denied'
  else
    body=$at
    sudoers_place "$1"
    h=$(head -c "$((CAP + 1))" <"$body" 2>/dev/null | hex)
    if [ "${#h}" -gt "$((CAP * 2))" ]; then emit sudoers_file "$key" 0 t "$h"; else emit sudoers_file "$key" 0 - "$h"; fi
    included=$(head -c "$CAP" <"$body" 2>/dev/null | awk "$sudoers_includes")
  fi
}

# Sends the files of sudoers, at most 200, the included directories, and the state of all of them. A
# plugin line of sudo.conf(5) can name another main file.
sudoers_files() {
  main=/etc/sudoers walk=''
  if place /etc/sudo.conf 1 && [ -f "$at" ]; then
    named=$(awk '$1 == "Plugin" { for (i = 4; i <= NF; i++) if ($i ~ /^sudoers_file=\//) { print substr($i, 14); exit } }' "$at" 2>/dev/null)
    main=${named:-$main}
  fi
  log="> $main$nl" next=$main$nl seen=$nl left=200
  while [ -n "$next" ]; do
    from_file=${next%%"$nl"*} next=${next#*"$nl"}
    case $seen in *"$nl$from_file$nl"*) continue ;; esac
    seen=$seen$from_file$nl left=$((left - 1))
    if [ "$left" -lt 0 ]; then
      log="$log! more than 200 files$nl"
      break
    fi
    sudoers_file "$from_file"
    before=$IFS IFS=$nl
    for line in $included; do
      IFS=$before
      word=${line#? }
      case $word in /*) ;; *) word=${from_file%/*}/$word ;; esac
      case $line in f*) next=$next$word$nl ;; *) sudoers_directory "$word" ;; esac
    done
    IFS=$before
  done
  put sudoers - 0 "$log"
  listing sudoers_stats 0 -name '*'
}
