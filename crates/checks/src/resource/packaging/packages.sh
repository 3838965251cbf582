# Sends the packages of dpkg or rpm: lines of name, architecture, status, version, source package and
# its version, separated by tabs. `manager` has the name of the package manager.
all_packages() {
  find_manager
  put package_manager - 0 "$manager"
  case $manager in
  dpkg) dpkg_packages ;;
  rpm) rpm_packages ;;
  *) put packages - 3 'no package database: /var/lib/dpkg/status, /var/lib/rpm and /usr/lib/sysimage/rpm have none' ;;
  esac
}

# Sets `manager` to dpkg or rpm, and `database` to the directory of the rpm database. If os-release
# names a known system, it decides. Otherwise, the existing database does.
find_manager() {
  manager='' words='' old=$IFS
  IFS=$nl
  for line in $release; do
    case $line in ID=* | ID_LIKE=*) words="$words ${line#*=}" ;; esac
  done
  IFS=$old
  for word in $words; do
    word=${word#[\"\']} word=${word%[\"\']}
    case $word in
    debian | ubuntu) manager=dpkg && break ;;
    amzn | rhel | rocky | almalinux | centos | fedora | ol | suse | opensuse* | azurelinux | mariner) manager=rpm && break ;;
    esac
  done
  database=''
  for path in /usr/lib/sysimage/rpm /var/lib/rpm; do
    for file in rpmdb.sqlite Packages.db Packages; do
      if [ -z "$database" ] && place "$path/$file" 1 && [ -f "$at" ]; then database=$path; fi
    done
  done
  if [ -z "$manager" ]; then
    if place /var/lib/dpkg/status 1 && [ -f "$at" ]; then manager=dpkg; elif [ -n "$database" ]; then manager=rpm; fi
  fi
}

dpkg_packages() {
  if [ -z "$R" ] && command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2016 # dpkg-query's own fields
    form='${Package}\t${Architecture}\t${Status}\t${Version}\t${source:Package}\t${source:Version}\n'
    if rows=$(limit 60 dpkg-query -W -f="$form" 2>/dev/null); then
      put packages - 0 "$rows"
    else
      put packages - 3 'dpkg-query failed'
    fi
    return
  fi
  place /var/lib/dpkg/status 1 || at=/nonexistent
  if [ ! -f "$at" ]; then
    put packages - 3 'there is no /var/lib/dpkg/status'
    return
  fi
  rows=$(awk '
    function row() {
      if (p != "") print p "\t" a "\t" s "\t" v "\t" (n == "" ? p : n) "\t" (m == "" ? v : m)
      p = a = s = v = n = m = ""
    }
    /^Package: /      { p = substr($0, 10) }
    /^Architecture: / { a = substr($0, 15) }
    /^Status: /       { s = substr($0, 9) }
    /^Version: /      { v = substr($0, 10) }
    /^Source: /       { n = $2; m = $3; gsub(/[()]/, "", m) }
    /^$/              { row() }
    END               { row() }' "$at" 2>/dev/null) || {
    put packages - 2 'it could not be read'
    return
  }
  put packages - 0 "$rows"
}

# A corrupt package header is not in the list, and rpm reports it on standard error with status 0.
rpm_packages() {
  if [ -z "$database" ]; then
    put packages - 3 'os-release names a system with rpm, but /var/lib/rpm has no database: check that the file system is complete'
    return
  fi
  if ! command -v rpm >/dev/null; then
    advice='install rpm, or check the unpacked root directory'
    [ -z "$R" ] || advice='install rpm here (Debian: apt-get install rpm)'
    put packages - 3 "rpm is not installed, so $database cannot be read: $advice"
    return
  fi
  form='%{NAME}\t%{ARCH}\tinstall ok installed\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{SOURCERPM}\t\n'
  if [ -z "$R" ]; then
    rows=$(limit 60 rpm --dbpath "$database" -qa --nosignature --qf "$form" 2>&1)
    state=$?
  else
    copy_database || return 0
    rows=$(limit 60 rpm --dbpath "$copy" -qa --nosignature --qf "$form" 2>&1)
    state=$?
    rm -rf "$copy"
    trap - 0 1 2 15
  fi
  problem=$(printf '%s\n' "$rows" | awk -F '\t' 'NF != 6 && NF && !/^warning: /' | head -n 1)
  rows=$(printf '%s\n' "$rows" | awk -F '\t' -v OFS='\t' 'NF == 6 {
    if ($2 == "(none)") $2 = ""
    name = version = ""
    if (sub(/\.(no)?src\.rpm$/, "", $5) && match($5, /-[^-]*-[^-]*$/)) {
      name = substr($5, 1, RSTART - 1)
      version = substr($5, RSTART + 1)
    }
    $5 = name
    $6 = version
    print
  }')
  if [ "$state" != 0 ] || [ -n "$problem" ]; then
    put packages - 3 "rpm cannot read $database: ${problem:-status $state}"
  elif [ -z "$rows" ]; then
    put packages - 3 "rpm lists no packages in $database"
  else
    put packages - 0 "$rows"
  fi
}

# Copies the rpm database of the directory to `copy`, outside of it. SQLite creates files next to a
# database, even to read it.
copy_database() {
  copy=${TMPDIR:-/tmp}/bakeline-$N-$$
  if ! mkdir "$copy" 2>/dev/null; then
    put packages - 3 "cannot copy $database to ${copy%/*}: set TMPDIR to a writable directory"
    return 1
  fi
  trap 'rm -rf "$copy"' 0
  trap 'exit 143' 1 2 15
  for file in rpmdb.sqlite rpmdb.sqlite-wal Packages.db Index.db Packages; do
    place "$database/$file" 1 && [ -f "$at" ] || continue
    if ! limit 60 cp -- "$at" "$copy/$file" 2>/dev/null; then
      rm -rf "$copy"
      put packages - 3 "cannot copy $database/$file to ${copy%/*}: check permissions and free space"
      return 1
    fi
  done
}
