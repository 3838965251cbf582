# Runs a script of the catalog with its environment, arguments, user and time limit. The last line
# of a failure names the script.
set -eu
umask 022
path=@{ script.path }@
uploaded=@{ uploaded }@
user=@{ script.user }@
seconds=@{ script.timeout }@
may_reboot=@{ script.may_reboot }@

# Not in /tmp and /var/tmp, which can be mounted noexec, or emptied by the script.
work=$(mktemp -d /var/lib/bakeline-script.XXXXXX)
chmod 0755 "$work"
trap 'rm -rf -- "$work" "$uploaded"' EXIT
# A shutdown of the instance sends these signals to the script, too.
stopped=
trap 'stopped=yes' HUP TERM
# A shutdown that was scheduled earlier is not that of the script.
scheduled=/run/systemd/shutdown/scheduled
if [ -e "$scheduled" ]; then scheduled=/nonexistent; fi

# fail TEXT: reports a failure with the last lines of the errors, or else of the output.
fail() {
    shown=
    for stream in "$work/err" "$work/out"; do
        if [ -n "$shown" ] || [ ! -s "$stream" ]; then continue; fi
        shown=$(tail -n 20 -- "$stream" | LC_ALL=C tr -d '\000-\010\013-\037\177' | grep -v '^[[:space:]]*$' | tail -n 3 |
            cut -c 1-300 | sed -e ':join' -e '$!N' -e 's/\n/ | /' -e 't join') || shown=
    done
    printf 'bakeline: script `%s` %s%s\n' "$path" "$1" "${shown:+: $shown}" >&2
    exit 1
}

# Returns success if the instance shuts down or reboots, or is about to.
is_stopping() {
    [ -n "$stopped" ] || [ -e "$scheduled" ] ||
        { [ -d /run/systemd/system ] && [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; }
}

script=$work/$(basename -- "$path")
install -m 0755 -- "$uploaded" "$script"
: > "$work/out"
: > "$work/err"
# Programs that the script unpacks and starts must not be in a /tmp that is mounted noexec.
if command -v findmnt >/dev/null && findmnt -n -o OPTIONS --target /tmp 2>/dev/null | grep -qw noexec; then
    install -d -m 1777 -- "$work/tmp"
    TMPDIR=$work/tmp
    export TMPDIR
fi
# The variable also identifies the processes of the script.
set -- env "BAKELINE_SCRIPT=$work" DEBIAN_FRONTEND=noninteractive@% for word in script.env %@ @{ word }@@% endfor %@ @{ script.interpreter | safe }@ "$script"@% for word in script.args %@ @{ word }@@% endfor %@

if [ -n "$user" ]; then
    home=$(getent passwd "$user" | cut -d : -f 6) || home=
    if [ -z "$home" ]; then fail "cannot run: the user \`$user\` does not exist on the instance"; fi
    set -- runuser -u "$user" -- env "HOME=$home" "USER=$user" "LOGNAME=$user" "$@"
    cd -- "$home" 2>/dev/null || cd /
fi
if [ "$seconds" != 0 ]; then set -- timeout -k 10 "$seconds" "$@"; fi
if [ -n "$may_reboot" ]; then : > /run/bakeline-script; fi

# The output goes through files, so that a background process of the script does not keep the
# connection open. `tail` ends with the process $follow.
sleep infinity > /dev/null 2>&1 &
follow=$!
tail -c +1 -s 0.2 -f --pid="$follow" -- "$work/out" &
tails=$!
tail -c +1 -s 0.2 -f --pid="$follow" -- "$work/err" >&2 &
tails="$tails $!"
begin=$(date +%s)
code=0
"$@" < /dev/null >> "$work/out" 2>> "$work/err" || code=$?
end=$(date +%s)
# Until it has replaced the shell, the process $follow has the traps of the shell, and loses a TERM.
kill -KILL "$follow" 2>/dev/null || true
wait "$follow" 2>/dev/null || true
for one in $tails; do wait "$one" 2>/dev/null || true; done

case $code in
    124 | 137)
        if [ "$seconds" != 0 ] && [ "$((end - begin))" -ge "$seconds" ]; then
            # timeout(1) stops the process group. These processes have left it.
            for one in /proc/[0-9]*; do
                if grep -qzsxF "BAKELINE_SCRIPT=$work" "$one/environ" 2>/dev/null; then kill -KILL "${one#/proc/}" 2>/dev/null || true; fi
            done
            fail "did not finish within its timeout of $seconds s and was stopped"
        fi
        ;;
esac
if [ -z "$may_reboot" ] && is_stopping; then
    fail 'shut down or rebooted the instance; set `reboot: true` if it may reboot'
fi
if [ "$code" != 0 ] && ! { [ -n "$may_reboot" ] && is_stopping; }; then
    if [ "$code" -gt 128 ]; then fail "was ended by signal $((code - 128))"; fi
    fail "failed with exit status $code"
fi
if [ -n "$may_reboot" ]; then
    # reboot(8) can return before the shutdown begins.
    waited=0
    until is_stopping || [ "$waited" -ge 10 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    if is_stopping; then
        echo "waiting for the reboot of the instance"
        trap 'exit 0' HUP TERM
        waited=0
        while [ -z "$stopped" ] && [ "$waited" -lt 600 ]; do
            sleep 1
            waited=$((waited + 1))
        done
        if [ -z "$stopped" ]; then fail 'requested a reboot that did not begin within 10 min'; fi
    fi
fi
