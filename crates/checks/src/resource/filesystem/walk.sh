# Walks that several resources make. Paths are told from R on, as `./etc`, wherever R is. `lost` says why a walk can't be made.
homes='' lost=''

# For awk: prints the words behind a line's keyword, one a line, as argv_split of OpenSSH's misc.c has them.
# shellcheck disable=SC2016 # awk's own names
argv='function argv(text,   n, i, c, d, word, quote, begun) {
  sub(/^[ \t\r]*"?[A-Za-z]+"?[ \t]*=?[ \t]*/, "", text)
  sub(/[ \t\r\f]+$/, "", text)
  n = length(text)
  word = quote = ""
  begun = 0
  for (i = 1; i <= n; i++) {
    c = substr(text, i, 1)
    if (!begun && (c == " " || c == "\t")) continue
    if (!begun && c == "#") break
    begun = 1
    if (c == "\\") {
      d = substr(text, i + 1, 1)
      if (d == "\"" || d == "\047" || d == "\\" || (quote == "" && d == " ")) {
        i++
        c = d
      }
      word = word c
    } else if (quote == "" && (c == " " || c == "\t")) {
      print word
      word = ""
      begun = 0
    } else if (quote == "" && (c == "\"" || c == "\047")) quote = c
    else if (c == quote) quote = ""
    else word = word c
  }
  if (begun) print word
}
'

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

# patterns...: sets `leads`, words of find one a line, to where links in the directories of `walk` lead that have such names,
# and adds these files to `walk`; links are followed without leaving R.
follow() {
  leads='' before=$IFS
  IFS=$nl
  for place in $walk; do
    for pattern in "$@"; do
      set +f
      for entry in "$R${place#.}"/$pattern; do
        set -f
        [ -L "$entry" ] && resolve "${entry#"$R"}" 1 && [ -f "$R$real" ] || continue
        case $real in *"$nl"*) continue ;; esac
        walk=$walk.$real$nl leads=$leads-o$nl-path$nl.$real$nl
      done
      set -f
    done
  done
  IFS=$before
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

