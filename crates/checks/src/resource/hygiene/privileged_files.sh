# For `sh -c` with the tool in $0 and files in $@: prints `c`, the path and NUL for each file with
# capabilities. One call for all files saves time. The output of getcap can contain any name, so each
# match has a call of its own.
# shellcheck disable=SC2016 # expanded by the inner shell
capability_batch='
nl="
"
case $0 in
python3)
  exec python3 -I -c "
import os, sys
for path in sys.argv[1:]:
    try:
        os.getxattr(path, \"security.capability\", follow_symlinks=False)
    except OSError:
        continue
    sys.stdout.buffer.write(b\"c\" + os.fsencode(path) + b\"\\0\")
" "$@"
  ;;
getcap)
  all=$nl$(getcap "$@" 2>/dev/null)
  [ "$all" != "$nl" ] || exit 0
  for f do
    case $all in *"$nl$f "*) [ -z "$(getcap "$f" 2>/dev/null)" ] || printf "c%s\000" "$f" ;; esac
  done
  ;;
*)
  [ -n "$(getfattr -h -m "^security[.]capability$" -- "$@" 2>/dev/null)" ] || exit 0
  for f do
    ! getfattr -h -n security.capability -- "$f" >/dev/null 2>&1 || printf "c%s\000" "$f"
  done
  ;;
esac
'

# For awk: after the files and a line `//`, prints `o` and the path of each file that a package owns.
# With a local diversion (`d`), the file of the package is at another place.
# shellcheck disable=SC2016 # awk's own names
privileged_owners='
function merge(path) {
  return merged && path ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)\// ? "/usr" path : path
}
!owners && $0 == "//" { owners = 1; next }
!owners { if ($0 ~ /^[ugc]\.\//) asked[substr($0, 2)] = 1; next }
{
  path = "." merge(substr($0, 2))
  if (!(path in asked)) next
  if (substr($0, 1, 1) == "d") diverted[path] = 1
  else owned[path] = 1
}
END { for (path in owned) if (!(path in diverted)) print "o" path }'

# Prints the original paths of the local diversions of dpkg.
local_diversions() {
  [ "$owner" = dpkg ] && [ -f "$info/../diversions" ] || return 0
  awk 'NR % 3 == 1 { from = $0 } NR % 3 == 0 && $0 == ":" { print "d" from }' "$info/../diversions"
}

# Sends the files on the file system of / with setuid bit (`u`), setgid bit (`g`) or capabilities
# (`c`), and those of packages (`o`), one a line, with 0x01 in place of a line break.
privileged_files() {
  command -v find >/dev/null || { put privileged_files - 3 'find is not installed' && return; }
  find_owner privileged_files || return 0
  soh=$(printf '\001')
  for tool in getcap python3 getfattr none; do
    ! command -v "$tool" >/dev/null || break
  done
  set -- -exec sh -c "$capability_batch" "$tool" '{}' +
  [ "$tool" != none ] || set -- -type f
  found=$({
    {
      cd "$R/." || exit
      limit 120 find . -xdev '(' -path ./proc -o -path ./sys -o -path ./dev -o -path ./run ')' -prune -o -type f '(' \
        -path "*$soh*" -exec sh -c 'echo "!name" >&4' sh '{}' + -o \
        '(' -perm -4000 -exec printf 'u%s\000' '{}' + -o -type f ')' \
        '(' -perm -2000 -exec printf 'g%s\000' '{}' + -o -type f ')' "$@" ')' 2>&4
      echo "!find $?" >&4
    } | tr '\n\000' '\001\n'
  } 4>&1)
  owned=$({
    printf '%s\n//\n' "$found"
    owned_files
    local_diversions
  } | awk -v merged="$merged" "$privileged_owners")
  forget_owner
  h=$(printf '!tool %s\n!owner %s\n%s\n%s\n' "$tool" "${owner:-none}" "$found" "$owned" | head -c "$((CAP + 1))" | hex)
  emit_lines privileged_files
}
