# Quiets the timers of dnf until the next boot, and waits for the jobs of this one.
boot_seconds=600
# The timers of the image would take the locks of dnf during the build, so their services are
# skipped from now on. The states of the units do not change, which checks could see, and /run is
# not part of the image.
if [ -d /run/systemd/system ]; then
    units='dnf-makecache.service dnf-automatic.service dnf-automatic-install.service dnf-automatic-download.service
        dnf-automatic-notifyonly.service packagekit.service'
    for unit in $units; do
        mkdir -p "/run/systemd/system/$unit.d"
        printf '[Unit]\nConditionPathExists=!/\n' > "/run/systemd/system/$unit.d/zz-bakeline.conf"
    done
    systemctl daemon-reload
    if command -v cloud-init >/dev/null; then
        cloud-init status --wait >/dev/null 2>&1 || true
    fi
    # Wait for a run that has already started: scripts of the catalog call dnf without a limit.
    waited=0
    # shellcheck disable=SC2086 # names of units
    while systemctl show -p ActiveState $units | grep -q '=\(de\)\{0,1\}activ'; do
        if [ "$waited" = 0 ]; then echo "waiting for up to $boot_seconds s until dnf-automatic ends"; fi
        if [ "$waited" -ge "$boot_seconds" ]; then break; fi
        sleep 2
        waited=$((waited + 2))
    done
fi
