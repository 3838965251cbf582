# The updates that apt would make by the lists that are there, also of what is held back: nothing is fetched, installed or written, not even apt's
# caches and the log of what it planned.
pending_updates() {
  if ! command -v apt-get >/dev/null; then
    put updates - 3 'there is no apt-get: only apt can be asked'
    return
  fi
  newest='' lists=''
  for list in $(set +f && cd /var/lib/apt/lists 2>/dev/null && echo *_Packages*); do
    case $list in '*_Packages*') ;; *) lists=yes ;; esac
  done
  if [ ! -x /var/lib/apt/lists ] && [ -d /var/lib/apt/lists ]; then
    put updates - 2 'Permission denied'
    return
  fi
  if [ -z "$lists" ]; then
    put updates - 3 'there are no lists of packages: run `apt-get update` in the build before this check, or `bakeline probe`'
    return
  fi
  if rows=$(limit 60 apt-get -s -q -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o Dir::Log::Planner= -o Dir::Log::Solver= --ignore-hold dist-upgrade 2>&1); then
    put updates - 0 "$(printf '%s\n' "$rows" | grep '^Inst ')"
  else
    put updates - 3 "$(printf '%s\n' "$rows" | tail -n 1)"
  fi
  for place in /var/lib/apt/lists /var/lib/apt/lists/partial; do
    when=$(date -r "$place" +%s 2>/dev/null) || continue
    if [ "$when" -gt "${newest:-0}" ]; then newest=$when; fi
  done
  if [ -n "$newest" ]; then put lists_age - 0 "$((($(date +%s) - newest) / 86400))"; fi
}

