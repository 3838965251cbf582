# Configuration in drop-in directories, the kernel, mounts, accounts, search paths.

# path: adds a line about a file to `table`, and to `texts` where it is, if something is in it: `-` absent, `m` nothing in
# it (/dev/null need not be there in a directory), `d` a link to nothing, `u` unreadable, `f` and `@` where.
one() {
  case $1 in *"$nl"*) table="${table}u ${1%%"$nl"*}?$nl" && return ;; esac
  place "$1" 1 || at=$R/nonexistent/nonexistent
  case $at in *"$nl"*) table="${table}u $1$nl" && return ;; esac
  if [ -f "$at" ] && [ -s "$at" ]; then
    if [ -r "$at" ]; then
      table="${table}f $1$nl@ .${at#"$R"}$nl"
      texts=$texts.${at#"$R"}$nl
    else
      table="${table}u $1$nl"
    fi
  elif [ -e "$at" ] || [ "$at" = "$R/dev/null" ]; then
    table="${table}m $1$nl"
  elif place "$1" 0 && [ -L "$at" ]; then
    table="${table}d $1$nl"
  else
    table="${table}- $1$nl"
  fi
}

# directory suffix: `one` for each file of that suffix in it.
inside() {
  case $1 in /lib/*) [ ! -L "$R/lib" ] || return 0 ;; esac
  place "$1" 1 && [ -d "$at" ] || return 0
  if [ ! -r "$at" ] || [ ! -x "$at" ]; then
    table="${table}u $1$nl"
    return
  fi
  set +f
  for entry in "$at"/*"$2"; do
    set -f
    if [ -e "$entry" ] || [ -L "$entry" ]; then one "$1/${entry##*/}"; fi
  done
  set -f
}

# kind key filter: `table`, then every line of `texts` behind a `|`, each file behind a line `=` and where it is. The
# filter is a condition of awk.
send() {
  ifs=$IFS
  IFS=$nl
  # shellcheck disable=SC2086 # one word for each line
  set -- "$1" "$2" "$3" $texts
  IFS=$ifs
  kind=$1 key=$2 keep=$3
  shift 3
  h=$({ {
    printf '%s' "$table"
    if [ $# -gt 0 ]; then
      cd "${R:-/}" && awk 'FNR == 1 { print "=" FILENAME } '"$keep"' { print "|" $0 }' "$@" || echo '!' >&3
    fi
  } 2>/dev/null | head -c "$((CAP + 1))" | hex; } 3>&1)
  if [ "${#h}" -gt "$((CAP * 2))" ]; then
    emit "$kind" "$key" 0 t "${h%!*}"
  else
    case $h in
    *!*) put "$kind" "$key" 3 'a file could not be read to its end' ;;
    *) emit "$kind" "$key" 0 - "$h" ;;
    esac
  fi
}

# sysctl.d(5); where systemd's tool is not, that of procps reads /etc/sysctl.conf after them.
sysctl_files() {
  table='' texts='' tool=procps
  for dir in /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d; do
    inside "$dir" .conf
  done
  for path in /usr/lib/systemd/systemd-sysctl /lib/systemd/systemd-sysctl; do
    if place "$path" 1 && [ -e "$at" ]; then tool=systemd; fi
  done
  [ "$tool" = systemd ] || one /etc/sysctl.conf
  send sysctl-files - '!/^[ \t]*#/ && NF'
}

# key parameter...: their values, where the kernel is this system's own. Not with `read`: it reads byte by byte, and the
# kernel answers only the first.
sysctl_running() {
  key=$1 table=''
  shift
  [ "${owned:-no}" = yes ] || return 0
  if [ ! -d /proc/sys/kernel ]; then
    put sysctl "$key" 3 'there is no /proc/sys'
    return
  fi
  for path in "$@"; do
    shift
    if [ -r "/proc/sys/$path" ] && [ -f "/proc/sys/$path" ]; then
      set -- "$@" "$path"
      table="${table}f $path$nl"
    elif [ -e "/proc/sys/$path" ]; then
      table="${table}u $path$nl"
    else
      table="${table}- $path$nl"
    fi
  done
  put sysctl "$key" 0 "$table$(cd /proc/sys && grep '' /dev/null "$@" 2>/dev/null)"
}

# modprobe.d(5)
modprobe_files() {
  table='' texts=''
  for dir in /etc/modprobe.d /run/modprobe.d /usr/local/lib/modprobe.d /usr/lib/modprobe.d /lib/modprobe.d; do
    inside "$dir" .conf
  done
  send modprobe-files - '!/^[ \t]*#/ && NF'
}

modules_loaded() {
  [ "${owned:-no}" = yes ] || return 0
  if [ -r /proc/modules ]; then
    put modules - 0 "$(awk '{ print $1 }' /proc/modules)"
  else
    put modules - 3 'there is no /proc/modules'
  fi
}

# The modules that are part of each kernel that is installed.
modules_builtin() {
  table='' texts=''
  place /lib/modules 1 || at=$R/nonexistent
  set +f
  for entry in "$at"/*/modules.builtin; do
    set -f
    if [ -e "$entry" ]; then one "${entry#"$R"}"; fi
  done
  set -f
  send modules-builtin - ''
}

mounts() {
  [ -z "$R" ] || return 0
  if rows=$(cat /proc/self/mounts 2>/dev/null); then
    put mounts - 0 "$rows"
  else
    put mounts - 3 'there is no /proc/self/mounts'
  fi
}

# fstab(5), and systemd's mount units with their drop-ins, and which of them other units want; passwords stay here.
mount_files() {
  table='' texts=''
  one /etc/fstab
  for dir in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system \
    /lib/systemd/system; do
    inside "$dir" .mount
    place "$dir" 1 && [ -d "$at" ] || continue
    base=$at
    set +f
    set -- "$base"/*.mount.d
    set -f
    for entry in "$@"; do
      if [ -d "$entry" ]; then inside "$dir/${entry##*/}" .conf; fi
    done
    set +f
    set -- "$base"/*.wants/*.mount "$base"/*.requires/*.mount
    set -f
    for entry in "$@"; do
      if [ ! -L "${entry%/*}" ] && { [ -e "$entry" ] || [ -L "$entry" ]; }; then table="${table}w ${entry##*/}$nl"; fi
    done
  done
  send mount-files - '{ gsub(/,(password2?|passwd|pass)=[^, \t]*/, ",password=...") }
    { gsub(/=(password2?|passwd|pass)=[^, \t]*/, "=password=...") }
    { gsub(/[ \t](password2?|passwd|pass)=[^, \t]*/, "\tpassword=...") } !/^[ \t]*#/ && NF'
}

# shadow(5): of a password only its kind, which is all that leaves this machine.
shadow() {
  if ! place /etc/shadow 1 || [ ! -e "$at" ]; then
    put shadow - 1 ''
  elif [ ! -r "$at" ]; then
    put shadow - 2 'Permission denied'
  elif rows=$(awk -F: -v OFS=: '
    function kind(p) {
      if (p == "") return "empty"
      if (p ~ /^!/) return "locked"
      if (p ~ /^\*/) return "none"
      if (p ~ /^\$1\$/) return "md5"
      if (p ~ /^\$5\$/) return "sha256"
      if (p ~ /^\$6\$/) return "sha512"
      if (p ~ /^\$y\$/) return "yescrypt"
      if (p ~ /^\$2[abxy]?\$/) return "bcrypt"
      if (p ~ /^[.\/0-9A-Za-z]+$/ && length(p) == 13) return "des"
      return "other"
    }
    NF >= 2 { print $1, kind($2), $3, $4, $5, $6, $7, $8 }
    NF == 1 { print "?" }' "$at" 2>/dev/null); then
    put shadow - 0 "$rows"
  else
    put shadow - 3 'it could not be read'
  fi
}

# What says where login shells look for commands: no more of these files than that. Then the state of each directory that
# is named there.
search_path() {
  put session-path - 0 "$given"
  table='' texts=''
  one /etc/login.defs
  one /etc/environment
  one /etc/profile
  inside /etc/profile.d .sh
  send search-path - '/PATH|^[ \t]*(if|then|else|elif|fi|for|while|until|do|done|case|esac|\}|[a-z_]+ *\(\))/'
  named=$(
    cd "${R:-/}" || exit
    IFS=$nl
    # shellcheck disable=SC2086 # one word for each line
    { printf '%s\n' "PATH=$given" && cat -- $texts /dev/null; } 2>/dev/null |
      awk '/PATH/ { n = split($0, w, /[:="'\'' \t;]+/); for (i = 1; i <= n; i++) if (w[i] ~ /^\// && !s[w[i]]++) print w[i] }'
  )
  IFS=$nl
  # shellcheck disable=SC2086 # one word for each line
  set -- $named
  IFS=$ifs
  states directories "$@"
}

cpu() {
  [ "${owned:-no}" = yes ] || return 0
  put cpu - 0 "$(awk -F: '/^(flags|Features)[ \t]*:/ { print $2; exit }' /proc/cpuinfo 2>/dev/null)"
  set +f
  put cpu-vulnerabilities - 0 "$(cd /sys/devices/system/cpu/vulnerabilities 2>/dev/null && grep '' /dev/null ./* 2>/dev/null)"
  set -f
}

