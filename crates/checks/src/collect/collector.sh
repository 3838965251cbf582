# The collector's functions; N (nonce), R (directory or empty) and CAP (bytes) are set before, the requests follow.
# POSIX sh; writes nothing on the target, not even by here-documents; every child reads /dev/null.
# shellcheck disable=SC2034 # what the transport gave, for those who ask
given=${PATH-}
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset CDPATH ENV BASH_ENV GREP_OPTIONS BLOCK_SIZE LS_BLOCK_SIZE BLOCKSIZE TIME_STYLE QUOTING_STYLE
umask 077
set -f
[ -n "$R" ] || cd /
count=0
nl='
'

hex() { od -An -v -tx1 | tr -d ' \t\n'; }

# Without these nothing could be believed: what can't be read would look like an empty answer.
lacks=''
for tool in awk cat date head id ls od readlink sed tr uname; do
  command -v "$tool" >/dev/null 2>&1 || lacks="$lacks $tool"
done
if [ -z "$lacks" ] && [ "$(printf 'A\n' | hex)" != 410a ]; then lacks=' od'; fi
if [ -n "$lacks" ]; then
  printf '\n%s lacks%s\n' "$N" "$lacks"
  exit 0
fi

# kind key rc flags hex: one fact, one line.
emit() {
  count=$((count + 1))
  printf '%s %s %s %s %s %s %s\n' "$N" "$1" "$2" "$3" "$4" "$((${#5} / 2))" "${5:--}"
}

# Takes the white space out of `h`, by itself where it is short: a process costs more.
squeeze() {
  if [ "${#h}" -gt 40000 ]; then
    h=$(printf '%s' "$h" | tr -d ' \t\n')
    return
  fi
  outer_ifs=$IFS IFS=" $nl"
  # shellcheck disable=SC2086 # words are what it is about
  set -- $h
  IFS=''
  h=$*
  IFS=$outer_ifs
}

# kind key rc text
put() {
  h=$(printf '%s' "$4" | od -An -v -tx1)
  squeeze
  emit "$1" "$2" "$3" - "$h"
}

# limit seconds command...: its status, or 124, 137 or 143 when it took longer. In a session of its own everything it
# started ends with it; `timeout` leaves a child that ignores SIGTERM, and what outlives its parent.
if timeout -k 1 5 true >/dev/null 2>&1; then bound=timeout; else bound=''; fi
if command -v setsid >/dev/null; then own=setsid group=-; else own='' group=''; fi
limit() {
  if [ -z "$own" ] && [ -n "$bound" ]; then
    timeout -k 2 "$@"
    return
  fi
  seconds=$1
  shift
  $own "$@" </dev/null &
  child=$!
  # shellcheck disable=SC2016 # expanded by the inner shell
  $own sh -c 'sleep "$0" && kill -TERM "$1" && sleep 2 && kill -KILL "$1"' "$seconds" "$group$child" \
    </dev/null >/dev/null 2>&1 3>&- 4>&- &
  watch=$!
  wait "$child"
  status=$?
  # A watcher that has just started has no session yet, and can lose a TERM to the traps of this shell.
  kill -KILL "$group$watch" 2>/dev/null || kill -KILL "$watch" 2>/dev/null
  wait "$watch" 2>/dev/null
  [ -z "$own" ] || kill -KILL "-$child" 2>/dev/null
  return "$status"
}

# Print standard input for at most $late seconds, if possible: a daemon may never close its pipe.
# (Not by `limit` with `<&0`: bash 5.2 crashes on that while it reads its script from there.)
drain() { if [ -n "$bound" ]; then timeout -k 2 "$late" cat; else cat; fi; }

# path, 1 to follow a link at its end: sets `real`, found as chroot would find it, so never outside R.
resolve() {
  todo=$1 real='' links=0
  while [ -n "$todo" ]; do
    case $todo in /*) todo=${todo#/} && continue ;; esac
    part=${todo%%/*}
    case $todo in */*) todo=${todo#*/} ;; *) todo='' ;; esac
    case $part in
    . | '') continue ;;
    ..) real=${real%/*} && continue ;;
    esac
    if [ -L "$R$real/$part" ] && { [ -n "$todo" ] || [ "$2" = 1 ]; }; then
      links=$((links + 1))
      [ "$links" -le 40 ] || return 1
      to=$(readlink "$R$real/$part" && echo x) || return 1
      to=${to%"$nl"x}
      case $to in /*) real='' ;; esac
      todo=$to/$todo
    else
      real=$real/$part
    fi
  done
}

# path, 1 to follow: sets `at`, where this shell finds it.
place() {
  if [ -z "$R" ]; then
    at=$1
  else
    resolve "$1" "$2" || return 1
    at=$R${real:-/.}
  fi
}

# kind key ls-option path: rc 0 present, 1 absent, 2 denied, 3 anything else, with the line of `ls`.
look() {
  if line=$(ls "$3" -- "$4" 2>&1); then
    state=0
  else
    case $line in
    *': No such file or directory' | *': Not a directory') state=1 ;;
    *': Permission denied') state=2 ;;
    *) state=3 ;;
    esac
  fi
  # Where the directory lies is nothing about what is in it.
  if [ -n "$R" ]; then
    case $line in *"$4"*) line=${line%%"$4"*}${4#"$R"}${line#*"$4"} ;; esac
  fi
  put "$1" "$2" "$state" "$line"
}

# key path want-content filter
file() {
  place "$2" 0 || { put file "$1" 3 'too many levels of symbolic links' && return; }
  look file "$1" -ldn "$at"
  [ "$state" = 0 ] || return 0
  if [ -L "$at" ]; then
    to=$(readlink "$at" && echo x)
    put link "$1" 0 "${to%"$nl"x}"
    place "$2" 1 || { put real "$1" 3 'too many levels of symbolic links' && return; }
    if [ -n "$R" ]; then look real "$1" -ldn "$at"; else look real "$1" -ldnL "$at"; fi
    [ "$state" = 0 ] || return 0
  fi
  if [ "$3" = 1 ] && [ -f "$at" ]; then body "$1" "$4"; fi
}

# key filter: the first CAP + 1 bytes of `at`; one byte too many says that it was cut.
body() {
  if [ ! -r "$at" ]; then
    put body "$1" 2 'Permission denied'
    return
  fi
  h=$({ { head -c "$((CAP + 1))" <"$at" || echo '!' >&3; } 2>/dev/null | "$2" | hex; } 3>&1)
  case $h in
  *!*) put body "$1" 3 'it could not be read to its end' ;;
  *) if [ "${#h}" -gt "$((CAP * 2))" ]; then emit body "$1" 0 t "$h"; else emit body "$1" 0 - "$h"; fi ;;
  esac
}

plain() { cat; }

# A password hash leaves this machine as its kind only: `$y$...`, `...`; locked (`!`, `*`) and empty stay as they are.
unhash() {
  sed -e 's/^\([^:]*:!*\$[^$:]*\$\)[^:]*/\1.../' -e t -e 's/^\([^:]*:!*\)[^:!*$][^:]*/\1.../'
}

# Accounts: lines of passwd (also in `people`) and group; of a password only whether it is `x`, `*`, `!`, nothing or something.
accounts() {
  people=''
  for table in passwd group; do
    if [ -z "$R" ] && rows=$(limit 10 getent "$table" 2>/dev/null) && [ -n "$rows" ]; then
      :
    elif place "/etc/$table" 1 && [ -f "$at" ]; then
      rows=$(cat "$at" 2>/dev/null) || { put "$table" - 2 'Permission denied' && continue; }
    else
      put "$table" - 1 ''
      continue
    fi
    [ "$table" = group ] || people=$rows
    put "$table" - 0 "$(printf '%s\n' "$rows" | awk -F: -v OFS=: '$2 !~ /^(x|\*|!)?$/ { $2 = "hash" } { print }')"
  done
}

# Sends os-release, and keeps it in `release`.
os_release() {
  release=''
  for path in /etc/os-release /usr/lib/os-release; do
    if place "$path" 1 && [ -f "$at" ]; then
      release=$(head -c 8192 "$at" 2>/dev/null)
      put os-release - 0 "$release"
      return
    fi
  done
  put os-release - 1 ''
}

# Only where a manager answers from what it has read: without one systemctl reads every unit itself, for half a second.
unit_files() {
  if [ -n "$R" ] || [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null; then
    put unit-files - 1 ''
  elif rows=$(limit 30 systemctl list-unit-files --no-legend --no-pager --plain 2>/dev/null); then
    put unit-files - 0 "$rows"
  else
    put unit-files - 3 'systemctl list-unit-files failed'
  fi
}

# Set `virtual`, and `owned` if the kernel belongs to this system. The test asks without a change if a kernel parameter is
# writable: this is false if another system owns the kernel. Without root, the result is meaningless.
detect_kernel() {
  virtual=none owned=no
  [ -z "$R" ] || return 0
  # The root of a complete system is a mount point. Otherwise this is a chroot, even if /proc/1/root is unreadable.
  if [ -r /proc/self/mounts ] && ! awk '$2 == "/" { root = 1 } END { exit !root }' /proc/self/mounts; then
    virtual=chroot && return 0
  fi
  if command -v systemd-detect-virt >/dev/null; then
    virtual=$(limit 10 systemd-detect-virt 2>/dev/null)
    if limit 10 systemd-detect-virt -c >/dev/null 2>&1; then return 0; fi
    if limit 10 systemd-detect-virt -r >/dev/null 2>&1; then virtual=chroot && return 0; fi
  elif [ -n "$hint" ]; then
    return 0
  fi
  if [ "$(id -u)" != 0 ] || [ -w /proc/sys/kernel/printk ]; then owned=yes; fi
}

identity() {
  machine=absent
  if place /etc/machine-id 1 && [ -e "$at" ]; then
    machine=present
    [ -s "$at" ] || machine=empty
    [ "$(head -c 13 "$at" 2>/dev/null)" = uninitialized ] && machine=uninitialized
  fi
  manager=no
  if [ -z "$R" ] && [ -d /run/systemd/system ]; then manager=yes; fi
  hint=''
  if [ -r /run/systemd/container ]; then hint=$(head -c 64 /run/systemd/container); fi
  if [ -z "$hint" ] && [ -e /.dockerenv ]; then hint=docker; fi
  detect_kernel
  boot=''
  if [ -r /proc/sys/kernel/random/boot_id ]; then boot=$(cat /proc/sys/kernel/random/boot_id); fi
  printf '\n'
  put identity - 0 "uid=$(id -u)${nl}boot_id=$boot${nl}machine_id=$machine${nl}kernel=$(uname -srm)${nl}\
service_manager=$manager${nl}container=$hint${nl}virtualization=$virtual${nl}kernel_owned=$owned${nl}\
clock=$(date -u +%Y-%m-%dT%H:%M:%SZ)${nl}directory=${R:+yes}"
}

finish() { printf '%s end %s\n' "$N" "$count"; }
