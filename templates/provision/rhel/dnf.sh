# Runs dnf. Waits while another process, such as a job of the first boot, holds a lock of dnf.
# Without `exit_on_lock`, dnf would wait without a limit.
dnf_lock_seconds=600

# run_dnf ARGUMENTS...: runs dnf, and repeats it while another process holds a lock. dnf exits 200
# before any change if it cannot take its locks (dnf(8), "Exit codes").
run_dnf() {
    dnf_errors=$(mktemp)
    dnf_end=$(($(date +%s) + dnf_lock_seconds))
    dnf_told=
    while :; do
        dnf_code=0
        dnf -q -y --setopt=exit_on_lock=True --setopt=install_weak_deps=False "$@" 2> "$dnf_errors" || dnf_code=$?
        if [ "$dnf_code" != 200 ]; then
            cat "$dnf_errors" >&2
            break
        fi
        dnf_held=$(tr '\n' ' ' < "$dnf_errors")
        if [ "$(date +%s)" -ge "$dnf_end" ]; then
            echo "dnf waited $dnf_lock_seconds s for a lock. $dnf_held Stop that process in the source or parent image." >&2
            break
        fi
        if [ -z "$dnf_told" ]; then
            echo "dnf waits for up to $dnf_lock_seconds s. $dnf_held"
            dnf_told=yes
        fi
        sleep 2
    done
    rm -f -- "$dnf_errors"
    return "$dnf_code"
}
