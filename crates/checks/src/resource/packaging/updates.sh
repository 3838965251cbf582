# Sends pending updates by the package lists on the target, and the age of the lists in days.
pending_updates() {
  newest=''
  if [ "$manager" = rpm ]; then dnf_updates; else apt_updates; fi
  if [ -n "$newest" ]; then put lists_age - 0 "$((($(date +%s) - newest) / 86400))"; fi
}

# paths...: sets `newest` to the latest time of their last change.
find_newest() {
  for place in "$@"; do
    when=$(date -r "$place" +%s 2>/dev/null) || continue
    if [ "$when" -gt "${newest:-0}" ]; then newest=$when; fi
  done
}

# Sends lines of `all` or `security`, name and version, without messages of plugins. dnf skips
# repositories without lists if their configuration allows it, so this is forbidden here. dnf cannot
# run without logs: they are removed.
dnf_updates() {
  if ! command -v dnf >/dev/null; then
    put updates - 3 'dnf is not installed: only apt and dnf are supported'
    return
  fi
  set +f
  find_newest /var/cache/dnf/*/repodata/*
  set -f
  if [ -z "$newest" ]; then
    put updates - 3 'no package lists: run `dnf makecache` in the build before this check, or `bakeline probe`'
    return
  fi
  logs=${TMPDIR:-/tmp}/bakeline-$N-$$
  if ! mkdir "$logs" 2>/dev/null; then
    put updates - 3 "dnf needs a directory for its logs in ${logs%/*}: set TMPDIR to a writable directory"
    return
  fi
  trap 'rm -rf "$logs"' 0
  trap 'exit 143' 1 2 15
  rows='' problem=''
  for scope in all security; do
    set -- repoquery --upgrades --qf "$scope\\t%{name}\\t%{evr}\\n"
    [ "$scope" = all ] || set -- "$@" --security
    if found=$(limit 120 dnf -q -C '--setopt=*.skip_if_unavailable=0' --setopt=logdir="$logs" "$@" 2>&1); then
      rows=$rows$found$nl
    else
      problem=$(printf '%s\n' "${found:-dnf repoquery failed}" | tail -n 1)
    fi
  done
  rm -rf "$logs"
  trap - 0 1 2 15
  if [ -n "$problem" ]; then
    put updates - 3 "$problem"
  else
    put updates - 0 "$(printf '%s' "$rows" | awk '/^(all|security)\t/')"
  fi
}

# Sends the updates that apt would install with the current lists, including held packages. It
# downloads, installs and writes nothing, not even the caches and the log of apt.
apt_updates() {
  if ! command -v apt-get >/dev/null; then
    put updates - 3 'apt-get is not installed: only apt and dnf are supported'
    return
  fi
  lists=''
  for list in $(set +f && cd /var/lib/apt/lists 2>/dev/null && echo *_Packages*); do
    case $list in '*_Packages*') ;; *) lists=yes ;; esac
  done
  if [ ! -x /var/lib/apt/lists ] && [ -d /var/lib/apt/lists ]; then
    put updates - 2 'Permission denied'
    return
  fi
  if [ -z "$lists" ]; then
    put updates - 3 'no package lists: run `apt-get update` in the build before this check, or `bakeline probe`'
    return
  fi
  if rows=$(limit 60 apt-get -s -q -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o Dir::Log::Planner= -o Dir::Log::Solver= --ignore-hold dist-upgrade 2>&1); then
    put updates - 0 "$(printf '%s\n' "$rows" | grep '^Inst ')"
  else
    put updates - 3 "$(printf '%s\n' "$rows" | tail -n 1)"
  fi
  find_newest /var/lib/apt/lists /var/lib/apt/lists/partial
}
