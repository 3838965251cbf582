# Sends the configuration of apt and dnf as `path<TAB>line`, without comments, embedded keys and
# credentials.
repositories() {
  from /etc/apt/sources.list /etc/apt/sources.list.d /etc/dnf/dnf.conf /etc/yum.repos.d /etc/yum/repos.d /etc/distro.repos.d
  follow '*.list' '*.sources' '*.repo'
  through=without_logins before=$IFS
  IFS=$nl
  # shellcheck disable=SC2086 # one word a line
  walked repositories 1 -type f '(' -name '*.list' -o -name '*.sources' -o -name '*.repo' -o -name dnf.conf $leads ')' -exec awk '
    FNR == 1 { key = 0 }
    /-----BEGIN PGP/ { key = 1; print FILENAME "\t -----BEGIN" }
    !key && !/^[ \t]*[#;]/ { print FILENAME "\t" $0 }
    /-----END PGP/ { key = 0 }' '{}' +
  IFS=$before
}

without_logins() { sed -e 's#://[^/@ ]*@#://...@#g' -e 's/\(password *=\).*/\1.../'; }

