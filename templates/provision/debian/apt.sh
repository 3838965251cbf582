# Runs apt-get. Waits while another process, such as a job of the first boot, holds a lock of apt or
# dpkg. DPkg::Lock::Timeout covers only the locks of dpkg, not those of the lists and archives.
apt_lock_seconds=600

# apt_get ARGUMENTS...: runs apt-get, and repeats it while another process holds a lock. apt-get
# takes its locks first, so a run without them has changed nothing.
apt_get() {
    apt_errors=$(mktemp)
    apt_end=$(($(date +%s) + apt_lock_seconds))
    apt_told=
    while :; do
        apt_code=0
        apt-get "$@" 2> "$apt_errors" || apt_code=$?
        # Messages can be translated, paths are not. Errors of open(2) other than 11 (EAGAIN) do not
        # mean a held lock.
        apt_held=$(sed -n -e '/ - open (11:/b held' -e '/ - open (/d' -e ':held' \
            -e 's/^E: \(.*\/\(lists\|archives\|dpkg\)\/lock.*\)/\1/p' "$apt_errors" | head -n 1)
        if [ "$apt_code" = 0 ] || [ -z "$apt_held" ]; then
            cat "$apt_errors" >&2
            break
        fi
        if [ "$(date +%s)" -ge "$apt_end" ]; then
            echo "E: apt-get waited $apt_lock_seconds s. $apt_held. Stop that process in the source or parent image." >&2
            break
        fi
        if [ "$apt_told" != "$apt_held" ]; then
            echo "apt-get waits for up to $apt_lock_seconds s. $apt_held"
            apt_told=$apt_held
        fi
        sleep 2
    done
    rm -f -- "$apt_errors"
    return "$apt_code"
}
