# Updates a new instance of Amazon Linux or the RHEL family before the provisioners run.
set -eu
umask 022
@{ apt | safe }@
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
        if [ "$waited" = 0 ]; then echo "waiting for up to $dnf_lock_seconds s until dnf-automatic ends"; fi
        if [ "$waited" -ge "$dnf_lock_seconds" ]; then break; fi
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
# A missing repository is an error. With the others only, no package would look outdated. AL2023
# installs only packages of the release of its AMI, unless the release is given (Amazon Linux 2023
# User Guide, "Deterministic upgrades through versioned repositories").
run_dnf --refresh --setopt=skip_if_unavailable=False @{ release_options | safe }@ upgrade
