# Bring a fresh Debian instance up to date before anything is installed on it.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive
@{ apt | safe }@
# The image's own timers would take apt's locks during the build. From here on the services that they start are skipped.
# Units keep their states, which checks look at, and /run does not travel with the image. unattended-upgrades.service is
# left alone: it waits for the shutdown, and apt-daily-upgrade.service does the upgrades.
if [ -d /run/systemd/system ]; then
    for unit in apt-daily.service apt-daily-upgrade.service; do
        mkdir -p "/run/systemd/system/$unit.d"
        printf '[Unit]\nConditionPathExists=!/\n' > "/run/systemd/system/$unit.d/zz-bakeline.conf"
    done
    systemctl daemon-reload
    if command -v cloud-init >/dev/null; then
        cloud-init status --wait >/dev/null 2>&1 || true
    fi
    # A run that had begun already ends by itself: scripts of the catalog call apt-get without waiting.
    waited=0
    while systemctl show -p ActiveState apt-daily.service apt-daily-upgrade.service | grep -q '=\(de\)\{0,1\}activ'; do
        if [ "$waited" = 0 ]; then echo "waiting for up to $apt_lock_seconds s until apt-daily ends"; fi
        if [ "$waited" -ge "$apt_lock_seconds" ]; then break; fi
        sleep 2
        waited=$((waited + 2))
    done
fi
# On a hardened parent a login has umask 027 (login.defs(5), pam_umask(8)). What a build installs is for everybody unless
# its mode says otherwise, so for the time of the build root's commands get 022 (sudoers(5), umask_override).
# cleanup.sh takes it away.
if [ -d /etc/sudoers.d ]; then
    printf 'Defaults umask=0022, umask_override\n' > /etc/sudoers.d/zz-bakeline-build
    chmod 0440 /etc/sudoers.d/zz-bakeline-build
fi
# A list that can't be had is an error: by the others alone nothing would be out of date.
apt_get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update
# dist-upgrade, because a fix may need a new package: a kernel's name has its ABI in it.
apt_get -q -y -o Dpkg::Options::=--force-confold dist-upgrade
