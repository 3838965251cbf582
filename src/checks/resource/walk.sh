# Walks that several resources make. Paths are told from R on, as `./etc`, wherever R is. `lost` says why a walk can't be made.
homes='' lost=''

# path: whether the last directory on the way to it that can be seen can't be looked into.
hidden() {
  way=${1%/*}
  while [ -n "$way" ] && [ ! -d "$R$way" ]; do way=${way%/*}; done
  [ ! -x "$R${way:-/}" ]
}

# path: whether it is there, or can't be told.
there() { [ -e "$R$1" ] || [ -L "$R$1" ] || hidden "$1"; }

# paths...: sets `walk` to what of them is there, one a line, links in them followed without leaving R.
from() {
  walk=''
  for path in "$@"; do
    if resolve "$path" 1 && there "$real"; then walk=$walk.$real$nl; fi
  done
}

# Sets `homes` and `walk`: the home directories of all accounts, each once.
from_homes() {
  [ -n "$people" ] || lost='the table of accounts could not be read'
  seen=''
  [ -n "$homes" ] || homes=$(printf '%s\n' "$people" | while IFS=: read -r name x uid gid gecos home rest; do
    case $home in /*) resolve "$home" 1 && there "$real" || continue ;; *) continue ;; esac
    case $nl$seen in *"$nl.$real$nl"*) continue ;; esac
    seen=$seen.$real$nl
    printf '.%s\n' "$real"
  done)$nl
  walk=$homes
}

# path...: sets `walk` to those that are there below a home.
below_homes() {
  from_homes
  walk='' old=$IFS
  IFS=$nl
  # shellcheck disable=SC2086 # one a line
  for home in $homes; do
    for path in "$@"; do
      if there "${home#.}/$path"; then walk=$walk$home/$path$nl; fi
    done
  done
  IFS=$old
}

# kind: `h`, the hex of what was found, cut at the cap, as one fact.
emit_lines() {
  if [ "${#h}" -gt "$((CAP * 2))" ]; then emit "$1" - 0 t "$h"; else emit "$1" - 0 - "$h"; fi
}

# kind depth tests and actions...: one fact, what find and its actions print about what is below `walk`, through the
# function `through`. A name with a line break could forge lines: it is told as `!name`, and its tree left out.
walked() {
  kind=$1 depth=$2
  shift 2
  if [ -n "$lost" ]; then
    put "$kind" - 3 "$lost"
    lost=''
    return
  fi
  if [ -z "${walk%"$nl"}" ]; then
    put "$kind" - 0 ''
    return
  fi
  old=$IFS
  IFS=$nl
  # shellcheck disable=SC2086 # one a line
  set -- $walk -maxdepth "$depth" -xdev '(' -name "*$nl*" -prune -exec sh -c 'echo "!name"' sh '{}' + ')' -o '(' "$@" ')'
  IFS=$old
  h=$({ { cd "$R/." && limit 60 find "$@"; } 2>&1 || echo "!$?"; } | "${through:-plain}" | head -c "$((CAP + 1))" | hex)
  through=''
  emit_lines "$kind"
}

# kind depth tests...: the same with the lines of `ls`.
listing() {
  kind=$1 depth=$2
  shift 2
  walked "$kind" "$depth" '(' "$@" ')' -exec ls -ldn -- '{}' +
}

