# Lists the files of packages in the database of dpkg or rpm.

# Prints the files of packages: `p` or `c` (configuration file), and the path.
owned_files() {
  case $owner in
  dpkg)
    find "$info" -name '*.list' -exec cat '{}' + | sed 's/^/p/'
    conffiles | sed -e 's/^ /c/' -e 's/ [0-9a-f]*$//'
    [ ! -f "$info/../diversions" ] || awk 'NR % 3 == 2 { print "p" $0 }' "$info/../diversions"
    ;;
  rpm) rpm_files | awk -F '\t' '$3 !~ /g/ { print ($3 ~ /c/ ? "c" : "p") $1 }' ;;
  esac
}

# Prints the paths and digests of the configuration files of dpkg.
conffiles() { sed -n -e '/^ \/.* [0-9a-f]\{32\}\( obsolete\)*$/!d' -e 's/ obsolete$//' -e p "$info/../status"; }

rpm_files() {
  limit 60 rpm --dbpath "$copy" -qa --nosignature --qf '[%{FILENAMES}\t%{FILEDIGESTS}\t%{FILEFLAGS:fflags}\n]' 2>/dev/null
}

# kind: sets `owner` to the package manager, and `since` to find arguments for files that are newer than
# the oldest package. Sends an error of this kind if the files of packages cannot be listed.
find_owner() {
  owner='' since="!${nl}-type${nl}f" copy=$database copied='' merged=''
  [ ! -L "$R/bin" ] || merged=1
  case $manager in
  dpkg)
    place /var/lib/dpkg/info 1 && [ -d "$at" ] || return 0
    owner=dpkg info=$at
    case $info in /*) ;; *) info=$PWD/$info ;; esac
    # shellcheck disable=SC2012 # the names are those of packages
    oldest=$(ls -1tr -- "$info" 2>/dev/null | sed -n '/\.list$/{p;q;}')
    [ -z "$oldest" ] || since="-newer${nl}$info/$oldest"
    ;;
  rpm)
    [ -n "$database" ] || return 0
    if ! command -v rpm >/dev/null; then
      put "$1" - 3 'rpm is not installed, so the files of packages are unknown'
      return 1
    fi
    if [ -n "$R" ]; then
      copy_database || return 1
      copied=$copy
    fi
    owner=rpm
    oldest=$(limit 60 rpm --dbpath "$copy" -qa --nosignature --qf '%{INSTALLTIME}\n' 2>/dev/null | sort -n | head -n 1)
    [ -z "$oldest" ] || since="-mmin${nl}-$((($(date +%s) - oldest) / 60 + 1))"
    ;;
  esac
}

# Removes the copy of the database that `find_owner` made.
forget_owner() {
  if [ -n "$copied" ]; then
    rm -rf "$copied"
    trap - 0 1 2 15
  fi
}
