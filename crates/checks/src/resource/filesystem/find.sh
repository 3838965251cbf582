# Sets `numbers`: those of the users (passwd) or groups (group) that have a name here.
known() {
  numbers=''
  if [ -z "$R" ] && numbers=$(limit 10 getent "$1" 2>/dev/null | cut -d: -f3) && [ -n "$numbers" ]; then return; fi
  place "/etc/$1" 1 && [ -f "$at" ] && numbers=$(cut -d: -f3 "$at" 2>/dev/null) && [ -n "$numbers" ]
}

# key path header find-arguments...: one walk through a directory for all that is looked for there. What it finds and what
# goes wrong come apart; only that something went away meanwhile is no fault.
walk() {
  key=$1 header=$3
  place "$2" 1 || { put found "$key" 3 'too many levels of symbolic links' && return; }
  start=$at
  shift 3
  if [ ! -d "$start" ]; then
    look found "$key" -ldn "$start"
    [ "$state" != 0 ] || put found "$key" 3 'it is not a directory'
    return
  fi
  if ! command -v find >/dev/null; then put found "$key" 3 'find is not there' && return; fi
  for word in "$@"; do
    shift
    case $word in
    -nouser) nobody passwd -user || return 0 ;;
    -nogroup) nobody group -group || return 0 ;;
    *) names='' && set -- "$@" "$word" && continue ;;
    esac
    # shellcheck disable=SC2086 # words of find
    set -- "$@" $names
  done
  got=$(
    cd "$start" 2>/dev/null || { echo d: && exit; }
    {
      {
        {
          limit 60 find -H . "$@" 2>&4
          echo "r:$?" >&3
        } | {
          h=$({ head -c "$((CAP * 4 + 1))" && cat >/dev/null; } | hex)
          echo "o:$h" >&3
        }
      } 4>&1 | {
        h=$(awk '!/: No such file or directory$/ && !n++ { print substr($0, 1, 300) }' | hex)
        echo "e:$h" >&3
      }
    } 3>&1 2>/dev/null
  )
  told "$got"
}

# table option: sets `names`, the words of find for files whose owner has no name here. find's own -nouser asks the tables of
# the system that looks, and busybox has none.
nobody() {
  if [ -z "$R" ] && find /. -prune "-no${2#-}" >/dev/null 2>&1; then
    names=-no${2#-}
    return
  fi
  if ! known "$1"; then
    put found "$key" 3 "the names of /etc/$1 could not be read"
    return 1
  fi
  names='! ('
  or=''
  for number in $numbers; do
    names="$names $or $2 $number"
    or=-o
  done
  names="$names )"
}

# What came out of a walk.
told() {
  rc='' out='' err=''
  for word in $1; do
    case $word in
    d:*) put found "$key" 2 'Permission denied' && return ;;
    r:*) rc=${word#r:} ;;
    o:*) out=${word#o:} ;;
    e:*) err=${word#e:} ;;
    esac
  done
  case $rc in
  124 | 137 | 143) put found "$key" 3 'it was ended after 60 s' ;;
  0 | 1)
    if [ -n "$err" ]; then
      emit found "$key" 3 - "$err"
    elif [ "${#out}" -gt "$((CAP * 8))" ]; then
      emit found "$key" 0 t "$header$out"
    else
      emit found "$key" 0 - "$header$out"
    fi
    ;;
  *) put found "$key" 3 "find ended with status ${rc:-unknown}" ;;
  esac
}

