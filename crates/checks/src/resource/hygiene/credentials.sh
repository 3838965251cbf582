# Finds credentials and private keys by content in files that no package owns, in configuration
# files of packages, and in files of packages that changed after their installation. Sends lines of
# kind, line number and path, never the text of a line.

# File of awk: prints `KIND LINE PATH` for the credentials of its files. Paths select the rules for
# configuration files. mawk has no intervals such as `{16}`, so lengths are compared.
# shellcheck disable=SC2016 # awk's own names
credential_rules='
function report(kind, at) {
  if (++found[kind] > 5) return
  path = FILENAME
  gsub(/\n/, "\\n", path)
  gsub(/\r/, "\\r", path)
  print kind, at, path
}
# True for values that documentation and templates use in place of a secret.
function placeholder(v) {
  gsub(/^["\047]+|["\047,;]+$/, "", v)
  return v == "" || v ~ /^[$<{%*@[]/ || v ~ /EXAMPLE/ || distinct(v) < 4
}
function distinct(v,   i, c, n, seen) {
  n = 0
  for (i = 1; i <= length(v) && n < 12; i++) {
    c = substr(v, i, 1)
    if (!(c in seen)) { seen[c] = 1; n++ }
  }
  return n
}
# True if the text has a match of at least `least` characters, not within a word.
function token(s, re, least,   before, t) {
  before = ""
  while (match(s, re)) {
    t = substr(s, RSTART, RLENGTH)
    if (RSTART > 1) before = substr(s, RSTART - 1, 1)
    if (RLENGTH >= least && before !~ /[A-Za-z0-9_]/ && distinct(t) >= 10 && t !~ /EXAMPLE/) return 1
    before = substr(s, RSTART + RLENGTH - 1, 1)
    s = substr(s, RSTART + RLENGTH)
  }
  return 0
}
# True if the text has a run of Base64 of at least `least` characters.
function base64(s, least,   t) {
  while (match(s, /[A-Za-z0-9+\/=]+/)) {
    t = substr(s, RSTART, RLENGTH)
    if (RLENGTH >= least && distinct(t) >= 8) return 1
    s = substr(s, RSTART + RLENGTH)
  }
  return 0
}
# True if the text has a word of exactly 40 characters with the alphabet of AWS secrets.
function aws_secret(s,   t) {
  while (match(s, /[A-Za-z0-9+\/]+/)) {
    t = substr(s, RSTART, RLENGTH)
    if (RLENGTH == 40 && t ~ /[a-z]/ && t ~ /[A-Z]/ && t ~ /[0-9]/ && t !~ /EXAMPLE/ && distinct(t) >= 12) return 1
    s = substr(s, RSTART + RLENGTH)
  }
  return 0
}
# Value after a key: the rest of the line after `=` or `:`.
function value(s) {
  sub(/^[^=:]*[=:][ \t]*/, "", s)
  return s
}
function begin_file() {
  split("", found)
  key = 0
  account = 0
  id = secret = -9
  base = FILENAME
  sub(/^.*\//, "", base)
  vault = base ~ /^\.?(ansible[-_.]?)?vault[-_.]?pass(word|wd)?([-_.](file|txt))?$/
  netrc = base ~ /^[._]netrc$/ || FILENAME ~ /\/etc\/apt\/auth\.conf/
  docker = FILENAME ~ /\/\.docker\/config\.json$/ || base == ".dockercfg" || FILENAME ~ /\/containers\/auth\.json$/
  npm = base ~ /^\.(npmrc|yarnrc|yarnrc\.yml)$/ || base == "npmrc"
  ini = base == ".pypirc" || base == ".my.cnf" || FILENAME ~ /\/etc\/(yum|dnf)/
  pgpass = base == ".pgpass"
  urls = npm || ini || FILENAME ~ /\/etc\/apt\// || base ~ /^pip\.conf$|^\.git-credentials$|^\.?gemrc$|^\.condarc$/ || \
    base ~ /^requirements[^\/]*\.txt$|^\.gitconfig$/ || FILENAME ~ /\/(\.bundle|\.config\/composer|\.composer)\/(config|auth\.json)$/
}
function private_key(s) {
  if (key > 0 && FNR > key + 12) key = 0
  if (match(s, /-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----/)) {
    key = FNR
    kind = substr(s, RSTART, RLENGTH) ~ /PGP/ ? "pgp-private-key" : "private-key"
    s = substr(s, RSTART + RLENGTH)
  } else if (s ~ /^PuTTY-User-Key-File-[0-9]/) {
    key = FNR
    kind = "putty-private-key"
    return
  }
  if (key == 0) return
  if (base64(substr(s, 1, 4096), 32)) {
    report(account ? "google-service-account" : kind, key)
    key = 0
  } else if (s ~ /-----END /) key = 0
}
function aws(s) {
  # Long lines are searched near a name or an ID, because the search for words is quadratic.
  if (length(s) > 4096) {
    if (!match(s, /A[KS]IA[A-Z0-9]+|[Ss]ecret_?[Aa]ccess_?[Kk]ey/)) return
    s = substr(s, RSTART > 512 ? RSTART - 512 : 1, 1024)
  }
  low = tolower(s)
  if (low ~ /secret_?access_?key["\047]?[ \t]*[=:]/ && aws_secret(value(substr(s, match(low, /secret_?access_?key/))))) {
    report("aws-secret-key", FNR)
    id = secret = -9
    return
  }
  if (token(s, "A[KS]IA[A-Z0-9]+", 20)) id = FNR
  if (aws_secret(s)) secret = FNR
  if (id - secret <= 3 && secret - id <= 3 && id > 0) {
    report("aws-secret-key", id)
    id = secret = -9
  }
}
function config(s) {
  if (vault && FNR == 1 && s !~ /^#!/ && s !~ /^\$ANSIBLE_VAULT/ && s ~ /[^ \t\r]/) report("ansible-vault-password", FNR)
  if (s ~ /^[ \t]*[#;]/) return
  if (netrc && match(s, /(^|[ \t])password[ \t]+[^ \t]+/)) {
    word = substr(s, RSTART, RLENGTH)
    sub(/^[ \t]*password[ \t]+/, "", word)
    if (!placeholder(word)) report("netrc-password", FNR)
  }
  if (docker && match(s, /"(auth|identitytoken|registrytoken)"[ \t]*:[ \t]*"[^"]+"/) && !placeholder(value(substr(s, RSTART, RLENGTH))))
    report("docker-auth", FNR)
  if (npm && s ~ /(_authToken|_auth|_password|npmAuthToken|npmAuthIdent)["\047]?[ \t]*[=:]/) {
    word = s
    sub(/^.*(_authToken|_auth|_password|npmAuthToken|npmAuthIdent)["\047]?[ \t]*[=:][ \t]*/, "", word)
    if (!placeholder(word)) report("npm-token", FNR)
  }
  if (ini && s ~ /^[ \t]*(proxy_)?password[ \t]*[=:]/ && !placeholder(value(s))) report("password", FNR)
  if (pgpass && split(s, part, ":") >= 5 && !placeholder(part[5])) report("password", FNR)
  if (urls && match(s, /:\/\/[^\/ \t:@"\047]*:[^\/ \t@"\047]+@/)) {
    word = substr(s, RSTART + 3, RLENGTH - 4)
    sub(/^[^:]*:/, "", word)
    if (!placeholder(word)) report("url-password", FNR)
  }
}
FNR == 1 { begin_file() }
{
  if ($0 ~ /"type"[ \t]*:[ \t]*"service_account"/) account = 1
  if (index($0, "PRIVATE KEY") || key || index($0, "PuTTY")) private_key($0)
  if (index($0, "AGE-SECRET-KEY-1") && token($0, "AGE-SECRET-KEY-1[A-Z0-9]+", 60)) report("age-secret-key", FNR)
  aws($0)
  if (index($0, "gh") && (token($0, "gh[pousr]_[A-Za-z0-9]+", 40) || token($0, "github_pat_[A-Za-z0-9_]+", 40))) report("github-token", FNR)
  if (index($0, "gl") && token($0, "gl(pat|dt|rt|cbt|ptt|soat|ft|imt|agent)-[A-Za-z0-9_-]+", 25)) report("gitlab-token", FNR)
  if (index($0, "xox") && token($0, "xox[abeoprs]-[A-Za-z0-9-]+", 20)) report("slack-token", FNR)
  if (index($0, "hooks.slack.com") && token($0, "hooks\\.slack\\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+", 50)) report("slack-token", FNR)
  if (match($0, /(AccountKey|SharedAccessKey)=[A-Za-z0-9+\/=]+/) && RLENGTH > 55 && !index($0, "=Eby8vdM02xNO") &&
    !placeholder(value(substr($0, RSTART, RLENGTH)))) report("azure-connection-string", FNR)
  if (vault || netrc || docker || npm || ini || pgpass || urls) config($0)
}'

# For `sh -c` with the rules in $0 and files in $@: selects files by content or name, and applies the
# rules to them. Files with a line break in their name are handled one by one. NUL marks a binary.
# shellcheck disable=SC2016 # expanded by the inner shell
credential_batch='
nl="
"
named="" text=""
if printf "x\n" | grep -qI x 2>/dev/null; then text=-I; fi
hits() {
  grep -l $text -E -e "-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----" -e "^PuTTY-User-Key-File-[0-9]" -e "AGE-SECRET-KEY-1" \
    -e "A[KS]IA[A-Z0-9]{16}" -e "[Ss][Ee][Cc][Rr][Ee][Tt]_?[Aa][Cc][Cc][Ee][Ss][Ss]_?[Kk][Ee][Yy]" -e "gh[pousr]_[A-Za-z0-9]{36}" \
    -e "github_pat_[A-Za-z0-9_]{20}" -e "gl[a-z]+-[A-Za-z0-9_-]{20}" -e "xox[abeoprs]-[A-Za-z0-9-]{10}" \
    -e "hooks\.slack\.com/services/T" -e "(AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{40}" -- "$@"
}
is_text() {
  [ -n "$text" ] || [ "$(head -c 65536 <"$1" 2>/dev/null | tr -dc "\000" | head -c 1 | od -An -tx1)" = "" ]
}
for f do
  case $f in
  *"$nl"*) [ -z "$(hits "$f")" ] || ! is_text "$f" || awk "$0" "$f" ;;
  */.netrc | */_netrc | */etc/apt/* | */pip.conf | */.pypirc | */.npmrc | */npmrc | */.yarnrc | */.yarnrc.yml | */.docker/config.json | */.dockercfg | \
    */containers/auth.json | */etc/yum* | */etc/dnf/* | */.git-credentials | */.gitconfig | */.pgpass | */.my.cnf | *vault*pass* | */.gemrc | */gemrc | \
    */.condarc | */.bundle/config | */composer/auth.json | */.composer/auth.json | */requirements*.txt)
    is_text "$f" && named=$named$nl$f ;;
  *.p12 | *.pfx | *.jks | */private-keys-v1.d/*) printf "key-store 0 %s\n" "$f" ;;
  esac
done
set -f
found=$(hits "$@")
IFS=$nl
set --
for f in $found $named; do
  if [ -f "$f" ] && is_text "$f"; then set -- "$@" "$f"; fi
done
[ "$#" = 0 ] || awk "$0" "$@"
'

# For awk: after the owned files and a line `//`, prints the files to search. Configuration files
# (`c`) of packages are searched, and other files of packages if they are new (`n`). Test data of
# libraries is left out: its keys are public. `merged` is set if /bin is a link to /usr/bin.
# shellcheck disable=SC2016 # awk's own names
credential_filter='
function merge(path) {
  return merged && path ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)\// ? "/usr" path : path
}
!files && $0 == "//" { files = 1; next }
!files { path = merge(substr($0, 2)); if (!(path in owned) || substr($0, 1, 1) == "c") owned[path] = substr($0, 1, 1); next }
{
  path = substr($0, 3)
  if (substr($0, 1, 1) == "o" && owned[path] == "p") next
  if (path ~ /\/(site-packages|dist-packages|node_modules|gems|pkg\/mod|registry\/src|python[23][.0-9]*)\/.*(test|fixture|certdata|mock|spec\/|example)/) next
  print "." path
}'

# For awk: after the paths and a line `//`, prints `DIGEST  PATH` for the lines of digests with these
# paths: `DIGEST  PATH` of dpkg, or `PATH DIGEST` of its configuration files and of rpm.
# shellcheck disable=SC2016 # awk's own names
credential_digests='
function merge(path) {
  return merged && path ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)\// ? "/usr" path : path
}
!files && $0 == "//" { files = 1; next }
!files { asked[$0] = 1; next }
/^[0-9a-f]+  [^\/]/ { path = merge("/" substr($0, index($0, "  ") + 2)); if ("." path in asked) print $1 "  ." path; next }
{
  sub(/^ /, "")
  sub(/ obsolete$/, "")
  if (match($0, /[ \t][0-9a-f]+$/)) {
    path = merge(substr($0, 1, RSTART - 1))
    if ("." path in asked) print substr($0, RSTART + 1) "  ." path
  }
}'

# Removes the findings in files whose digest is that of their package from `found`.
without_package_content() {
  paths=$(printf '%s\n' "$found" | sed -n 's/^[a-z0-9-]* [0-9]* \(\.\/.*\)$/\1/p' | sort -u)
  [ -n "$paths" ] || return 0
  same=$({
    printf '%s\n//\n' "$paths"
    case $owner in
    dpkg)
      conffiles
      find "$info" -name '*.md5sums' -exec cat '{}' +
      ;;
    rpm) rpm_files | cut -f 1,2 ;;
    esac
  } | awk -v merged="$merged" "$credential_digests" | (cd "$R/." && while read -r digest path; do
    case ${#digest} in 32) tool=md5sum ;; 64) tool=sha256sum ;; *) continue ;; esac
    if [ "$($tool <"$path" 2>/dev/null | sed 's/ .*//')" = "$digest" ]; then printf '%s\n' "$path"; fi
  done))
  [ -n "$same" ] || return 0
  found=$(printf '%s\n//\n%s\n' "$same" "$found" | awk '
    !files && $0 == "//" { files = 1; next }
    !files { same[$0] = 1; next }
    { path = $0; sub(/^[a-z0-9-]* [0-9]* /, "", path); if (!(path in same)) print }')
}

# paths...: searches all files up to 1 MiB on the file system of /, except below the paths. Names that find and xargs pass on end with
# NUL; awk gets one a line, with 0x01 in place of a line break.
credentials() {
  for tool in find xargs grep; do
    command -v "$tool" >/dev/null || { put credentials - 3 "$tool is not installed" && return; }
  done
  find_owner credentials || return 0
  pruned=''
  for path in "$@"; do pruned=$pruned$nl-o$nl-path$nl.$path; done
  soh=$(printf '\001')
  # cloud-init keeps the user data of a running instance, with the host keys that bakeline creates.
  mine='./proc/self'
  [ -n "$R" ] || mine='./var/lib/cloud/instance*'
  found=$({
    {
      owned_files
      echo //
      cd "$R/." || exit
      IFS=$nl
      {
        # shellcheck disable=SC2086 # words, one a line
        limit 120 find . -xdev '(' -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path "$mine" $pruned ')' -prune \
          -o -type f -size +0 -size -2049 ! -path './etc/ssh/ssh_host_*_key' ! -name '*.py[co]' ! -name '*.so' ! -name '*.a' \
          ! -name '*.ko*' ! -name '*.[gx]z' ! -name '*.bz2' ! -name '*.zst' ! -name '*.mo' ! -name '*.png' '(' \
          -path "*$soh*" -exec sh -c 'echo "!name" >&4' sh '{}' + -o $since -exec printf 'n%s\000' '{}' + \
          -o -exec printf 'o%s\000' '{}' + ')' 2>&4
        echo "!find $?" >&4
      } | tr '\n\000' '\001\n'
    } | awk -v merged="$merged" "$credential_filter" | tr '\001\n' '\n\000' | {
      cd "$R/." || exit
      ${bound:+timeout -k 2 150} xargs -0 sh -c "$credential_batch" "$credential_rules" 2>&1
      echo "!scan $?"
    }
  } 4>&1)
  without_package_content
  forget_owner
  h=$(printf '%s\n' "$found" | head -c "$((CAP + 1))" | hex)
  emit_lines credentials
}
