# Quiets the package timers of the image until the next boot, and waits for the jobs of this one.
boot_seconds=600
# The timers would take the locks of apt or dnf during the build, so their services are skipped from
# now on. The states of the units do not change, which checks could see, and /run is not part of the
# image. unattended-upgrades.service is not affected: it waits for the shutdown, and
# apt-daily-upgrade.service does the upgrades. systemd ignores drop-ins of units that do not exist.
package_jobs='apt-daily.service apt-daily-upgrade.service dnf-makecache.service dnf-automatic.service
    dnf-automatic-install.service dnf-automatic-download.service dnf-automatic-notifyonly.service packagekit.service'
if [ -d /run/systemd/system ]; then
    for unit in $package_jobs; do
        mkdir -p "/run/systemd/system/$unit.d"
        printf '[Unit]\nConditionPathExists=!/\n' > "/run/systemd/system/$unit.d/zz-bakeline.conf"
    done
    systemctl daemon-reload
    if command -v cloud-init >/dev/null; then
        cloud-init status --wait >/dev/null 2>&1 || true
    fi
    # Wait for a run that has already started: scripts of the catalog call apt-get or dnf directly.
    waited=0
    # shellcheck disable=SC2086 # names of units
    while systemctl show -p ActiveState $package_jobs | grep -q '=\(de\)\{0,1\}activ'; do
        if [ "$waited" = 0 ]; then echo "waiting for up to $boot_seconds s until the package jobs of the boot end"; fi
        if [ "$waited" -ge "$boot_seconds" ]; then break; fi
        sleep 2
        waited=$((waited + 2))
    done
fi
