# kind path...: sends the state of each path with few calls of `stat`. Each path has a line `p
# path`, and, below R, a line `@ path-below-R`. `!` means too many links, and `n` a missing or
# unreadable path. `>` has the target of a link, and `)` its final target below R. The output of
# `stat` follows. `file` handles paths that do not fit on a line.
states() {
  kind=$1 table='' gone='' ends='' inner=''
  shift
  if ! command -v stat >/dev/null; then
    for path in "$@"; do file "$(printf '%s' "$path" | hex)" "$path" 0 plain; done
    return
  fi
  [ $# -gt 0 ] || return 0
  for path in "$@"; do
    shift
    before=$table
    table="${table}p $path$nl"
    place "$path" 0 || { table="$table!$nl" && continue; }
    [ -z "$R" ] || { at=.${at#"$R"} && inner=1; }
    case $at in *"$nl"*) table="$table!$nl" && continue ;; esac
    [ -z "$inner" ] || table="$table@ $at$nl"
    if [ -L "${R:+$R/}$at" ]; then
      leads "$path" || { [ "$kind" != stats ] || table=$before && continue; }
      set -- "$@" "$at"
    elif [ -e "${R:+$R/}$at" ]; then
      set -- "$@" "$at"
    else
      table="${table}n$nl"
      gone=$gone$at$nl
    fi
  done
  put "$kind" - 0 "$table$(
    cd "${R:-/}" || exit
    echo '=here'
    [ $# = 0 ] || stat -c '%f %u %g %s %n' -- "$@" 2>/dev/null
    IFS=$nl
    echo '=gone'
    # shellcheck disable=SC2086 # one word for each line
    [ -z "$gone" ] || stat -c %f -- $gone 2>&1 >/dev/null
    echo '=there'
    # shellcheck disable=SC2086 # one word for each line
    [ -z "$ends" ] || stat -L -c '%f %u %g %s %n' -- $ends 2>/dev/null
  )"
}

# path (a link at `at`): adds its target to `table` and its final target to `ends`. `file` handles
# a dangling link, or a target that does not fit on a line.
leads() {
  here=$at
  says=$(readlink "${R:+$R/}$at" && echo x)
  says=${says%"$nl"x}
  case $says in *"$nl"*) here='' ;; esac
  if [ -n "$here" ] && place "$1" 1 && [ -e "$at" ]; then
    [ -z "$R" ] || at=.${at#"$R"}
    case $at in *"$nl"*) here='' ;; esac
  else
    here=''
  fi
  if [ -z "$here" ]; then
    [ "$kind" != stats ] || file "$(printf '%s' "$1" | hex)" "$1" 0 plain
    return 1
  fi
  table="$table> $says$nl"
  [ -z "$R" ] || table="$table) $at$nl"
  ends=$ends$at$nl
  at=$here
}

# key path filter: sends the content of a regular file. Links are followed.
content() {
  if place "$2" 1 && [ -f "$at" ]; then body "$1" "$3"; fi
}

# key path: sends the SHA-256 of a regular file. Links are followed.
digest() {
  if ! place "$2" 1 || [ ! -f "$at" ]; then return; fi
  if [ ! -r "$at" ]; then
    put sha256 "$1" 2 'Permission denied'
  elif sum=$(limit 60 sha256sum -- "$at" 2>/dev/null); then
    sum=${sum#\\}
    put sha256 "$1" 0 "${sum%%[!0-9a-f]*}"
  else
    put sha256 "$1" 3 'sha256sum failed or timed out'
  fi
}

# key path: sends the letters of lsattr(1). Links are followed. Status 1 means that the file
# system has no attributes.
attributes() {
  place "$2" 1 || return 0
  if ! command -v lsattr >/dev/null; then
    put attributes "$1" 3 'lsattr is not installed'
  elif letters=$(lsattr -d -- "$at" 2>&1); then
    put attributes "$1" 0 "${letters%% *}"
  else
    case $letters in
    *'not supported'* | *'Inappropriate ioctl'*) put attributes "$1" 1 '' ;;
    *'Permission denied'*) put attributes "$1" 2 'Permission denied' ;;
    *) put attributes "$1" 3 "${letters%%"$nl"*}" ;;
    esac
  fi
}

# key path: sends the line of `ls`, where `+` means an ACL, and the entries of getfacl(1).
acl() {
  place "$2" 1 || { put acl "$1" 3 'too many levels of symbolic links' && return; }
  if [ -z "$R" ]; then look acl "$1" -ldnL "$at"; else look acl "$1" -ldn "$at"; fi
  [ "$state" = 0 ] || return 0
  if command -v getfacl >/dev/null; then
    if rows=$(limit 10 getfacl -cpn -- "$at" 2>/dev/null); then
      put acl-entries "$1" 0 "$rows"
    else
      put acl-entries "$1" 3 'getfacl failed or timed out'
    fi
  else
    case $(ls --version 2>/dev/null) in
    *'GNU coreutils'*) put acl-entries "$1" 1 '' ;;
    *) put acl-entries "$1" 3 'getfacl is not installed, and ls does not show ACLs' ;;
    esac
  fi
}

