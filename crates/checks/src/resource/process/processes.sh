# name...: the processes of this system, `pid<TAB>number of user<TAB>name` each, and the arguments of those with these names.
processes() {
  if [ ! -r /proc/self/status ]; then
    put processes - 1 ''
    return
  elif [ ! -r /proc/1/status ]; then
    put processes - 2 'the processes of others are hidden'
    return
  fi
  set +f
  # shellcheck disable=SC2016 # awk's own names
  rows=$(awk 'BEGIN {
    for (i = 1; i < ARGC; i++) {
      file = ARGV[i] "/status"
      name = uid = ""
      while (uid == "" && (getline line < file) > 0) {
        if (line ~ /^Name:/) name = substr(line, 7)
        if (line ~ /^Uid:/) {
          split(line, word, "\t")
          uid = word[2]
        }
      }
      close(file)
      if (uid != "") print substr(ARGV[i], 7) "\t" uid "\t" name
    }
  }' /proc/[0-9]* 2>/dev/null)
  set -f
  put processes - 0 "$rows"
  for wanted in "$@"; do
    short=$(printf '%.15s' "$wanted") told='' rest=$rows$nl
    while [ -n "$rest" ]; do
      row=${rest%%"$nl"*} rest=${rest#*"$nl"}
      [ "${row##*"$tab"}" = "$short" ] || continue
      line=$({ tr '\000\n' '  ' <"/proc/${row%%"$tab"*}/cmdline"; } 2>/dev/null) || continue
      told=$told$line$nl
    done
    put arguments "$(printf %s "$wanted" | hex)" 0 "$(printf %s "$told" | without_secrets)"
  done
}

tab=$(printf '\t')

