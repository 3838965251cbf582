# Waits for the boot after a script that may have rebooted the instance. Settings of the build in
# /run are lost then.
set -eu
umask 022
rebooted=yes
if [ -e /run/bakeline-script ]; then rebooted=; fi
rm -rf -- /run/bakeline-script /var/lib/bakeline-script.*
if [ -n "$rebooted" ]; then
    echo "the instance has rebooted"
    if [ -d /run/systemd/system ]; then timeout 300 systemctl is-system-running --wait >/dev/null || true; fi
    @{ boot | safe }@
    # Stops the instance after the longest time of a build, as the user data of a new instance does.
    (
        @{ deadline | safe }@
    ) || true
fi
