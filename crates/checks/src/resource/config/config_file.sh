# The functions of the resources that read configuration files.
configs=' '

# seconds command...: as `limit`, for what leaves nothing behind.
soon() { if [ -n "$bound" ]; then timeout -k 2 "$@"; else limit "$@"; fi; }

# key: why there is nothing at `at`.
gone() {
  why=$(ls -d -- "$at" 2>&1)
  case $why in
  *': Permission denied') put config "$1" 2 "$why" ;;
  *': No such file or directory' | *': Not a directory') put config "$1" 1 '' ;;
  *) put config "$1" 3 "$why" ;;
  esac
}

# key path: what is in a regular file, links followed; once. A directory has the flag d. Sets `taken` where all of it was read.
config() {
  case $configs in
  *" $1:"*)
    taken=${configs##*" $1:"} taken=${taken%% *}
    return
    ;;
  esac
  taken=0
  if ! place "$2" 1; then
    put config "$1" 3 'too many levels of symbolic links'
  elif [ -d "$at" ]; then
    emit config "$1" 0 d ''
  elif [ ! -e "$at" ]; then
    gone "$1"
  elif [ ! -f "$at" ]; then
    put config "$1" 3 'it is no regular file'
  elif [ ! -r "$at" ]; then
    put config "$1" 2 'Permission denied'
  elif h=$(od -An -v -tx1 -N "$((CAP + 1))" <"$at" 2>/dev/null); then
    squeeze
    if [ "${#h}" -gt "$((CAP * 2))" ]; then emit config "$1" 0 t "$h"; else taken=1 && emit config "$1" 0 - "$h"; fi
  else
    put config "$1" 3 'it could not be read to its end'
  fi
  configs="$configs$1:$taken "
}

# shellcheck disable=SC2016 # awk's own names
includes=$argv'tolower($0) ~ /^[ \t\r]*"?include"?[ \t=]/ { argv($0) }'

# pattern, absolute: adds to `log` what it is, `?`, and the paths that match in the order of glob(3), `=`, or why there is no
# telling, `!`; and the paths to `next`.
matching() {
  log="$log? $1$nl"
  folder=${1%/*} name=${1##*/}
  case $folder in
  *[*?[]*)
    log="$log! a pattern in the name of a folder is not followed$nl"
    return
    ;;
  esac
  if ! place "${folder:-/}" 1; then
    log="$log! too many levels of symbolic links$nl"
    return
  elif [ ! -d "$at" ]; then
    why=$(ls -d -- "$at" 2>&1)
    case $why in
    *': No such file or directory' | *': Not a directory') ;;
    *': Permission denied') log="$log! permission denied$nl" ;;
    *) log="$log! $folder is no folder$nl" ;;
    esac
    return
  elif [ ! -r "$at" ] || [ ! -x "$at" ]; then
    log="$log! permission denied$nl"
    return
  fi
  ifs=$IFS IFS=''
  set +f
  # shellcheck disable=SC2086 # a pattern, and nothing ends a field
  set -- "$at"/$name
  set -f
  IFS=$ifs
  for match in "$@"; do
    if [ ! -e "$match" ] && [ ! -L "$match" ]; then continue; fi
    case $match in
    *"$nl"*) log="$log! there is a line break in the name of a file$nl" && return ;;
    esac
    log="$log= $folder/${match##*/}$nl"
    next="$next$folder/${match##*/}$nl"
  done
}

# key path: a configuration file of OpenSSH, and those that it includes, at most 200: level by level, with few processes.
ssh_files() {
  log='' next=$2$nl walked=$nl left=200 main=$1
  while [ -n "$next" ]; do
    level=$next next=''
    set --
    while [ -n "$level" ] && [ "$left" -gt 0 ]; do
      path=${level%%"$nl"*} level=${level#*"$nl"}
      case $walked in *"$nl$path$nl"*) continue ;; esac
      walked=$walked$path$nl left=$((left - 1))
      if [ "$left" = 199 ]; then
        key=$main
      else
        h=$(printf %s "$path" | od -An -v -tx1)
        squeeze
        key=$h
      fi
      config "$key" "$path"
      if [ "$taken" = 1 ] && place "$path" 1; then set -- "$@" "$at"; fi
    done
    [ $# -gt 0 ] || break
    patterns=$(awk "$includes" "$@" 2>/dev/null)
    while [ -n "$patterns" ]; do
      pattern=${patterns%%"$nl"*}
      case $patterns in *"$nl"*) patterns=${patterns#*"$nl"} ;; *) patterns='' ;; esac
      case $pattern in /*) ;; *) pattern=/etc/ssh/$pattern ;; esac
      case $nl$log in *"$nl? $pattern$nl"*) ;; *) matching "$pattern" ;; esac
    done
  done
  put include "$main" 0 "$log"
}

# kind: what the program that was tried last says about why it does not tell its options.
refused() { put "$1" - 3 "$(printf '%s\n' "$rows" | tail -n 3)"; }

# The options of sshd that are in force for a connection of which nothing is known. -G, of OpenSSH 9.3 and later, needs
# neither host keys nor /run/sshd.
sshd_effective() {
  [ -z "$R" ] || return 0
  if ! command -v sshd >/dev/null; then
    put sshd-effective - 1 ''
  elif rows=$(soon 10 sshd -T 2>/dev/null) || rows=$(soon 10 sshd -G 2>/dev/null); then
    put sshd-effective - 0 "$rows"
  else
    rows=$(soon 10 sshd -T 2>&1 >/dev/null)
    refused sshd-effective
  fi
}

# The options of ssh that the system's files make: a configuration of the user who looks is left out.
ssh_effective() {
  [ -z "$R" ] || return 0
  if ! command -v ssh >/dev/null; then
    put ssh-effective - 1 ''
    return
  fi
  set --
  if [ -e "${HOME:-/}/.ssh/config" ]; then
    if [ -e /etc/ssh/ssh_config ]; then set -- -F /etc/ssh/ssh_config; else set -- -F none; fi
  fi
  if rows=$(soon 10 ssh -G "$@" localhost 2>/dev/null); then
    put ssh-effective - 0 "$rows"
  else
    rows=$(soon 10 ssh -G "$@" localhost 2>&1 >/dev/null)
    refused ssh-effective
  fi
}

