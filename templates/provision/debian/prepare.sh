# Updates a new Debian instance before the provisioners run.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive
@{ apt | safe }@
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
        if [ "$waited" = 0 ]; then echo "waiting for up to $apt_lock_seconds s until apt-daily ends"; fi
        if [ "$waited" -ge "$apt_lock_seconds" ]; then break; fi
        sleep 2
        waited=$((waited + 2))
    done
fi
# On a hardened parent, a login has umask 027 (login.defs(5), pam_umask(8)). Installed files must be
# readable for all users unless their mode says otherwise, so commands of root use 022 during the
# build (sudoers(5), umask_override). cleanup.sh removes the file.
if [ -d /etc/sudoers.d ]; then
    printf 'Defaults umask=0022, umask_override\n' > /etc/sudoers.d/zz-bakeline-build
    chmod 0440 /etc/sudoers.d/zz-bakeline-build
fi
# A missing list is an error. With the other lists only, no package would look outdated.
apt_get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update
# dist-upgrade, because a fix can need a new package: the name of a kernel contains its ABI.
apt_get -q -y -o Dpkg::Options::=--force-confold dist-upgrade
