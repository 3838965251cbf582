# Quiets the timers of apt until the next boot, and waits for the jobs of this one.
boot_seconds=600
# The timers of the image would take the locks of apt during the build, so their services are
# skipped from now on. The states of the units do not change, which checks could see, and /run is
# not part of the image. unattended-upgrades.service is not affected: it waits for the shutdown, and
# apt-daily-upgrade.service does the upgrades.
if [ -d /run/systemd/system ]; then
    for unit in apt-daily.service apt-daily-upgrade.service; do
        mkdir -p "/run/systemd/system/$unit.d"
        printf '[Unit]\nConditionPathExists=!/\n' > "/run/systemd/system/$unit.d/zz-bakeline.conf"
    done
    systemctl daemon-reload
    if command -v cloud-init >/dev/null; then
        cloud-init status --wait >/dev/null 2>&1 || true
    fi
    # Wait for a run that has already started: scripts of the catalog call apt-get without waiting.
    waited=0
    while systemctl show -p ActiveState apt-daily.service apt-daily-upgrade.service | grep -q '=\(de\)\{0,1\}activ'; do
        if [ "$waited" = 0 ]; then echo "waiting for up to $boot_seconds s until apt-daily ends"; fi
        if [ "$waited" -ge "$boot_seconds" ]; then break; fi
        sleep 2
        waited=$((waited + 2))
    done
fi
