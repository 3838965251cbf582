# Bring a fresh Debian instance up to date before anything is installed on it.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive
if command -v cloud-init >/dev/null && [ -d /run/systemd/system ]; then
    cloud-init status --wait >/dev/null 2>&1 || true
fi
# On a hardened parent a login has umask 027 (login.defs(5), pam_umask(8)). What a build installs is for everybody unless
# its mode says otherwise, so for the time of the build root's commands get 022 (sudoers(5), umask_override).
# cleanup.sh takes it away.
if [ -d /etc/sudoers.d ]; then
    printf 'Defaults umask=0022, umask_override\n' > /etc/sudoers.d/zz-bakeline-build
    chmod 0440 /etc/sudoers.d/zz-bakeline-build
fi
# A list that can't be had is an error: by the others alone nothing would be out of date.
apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any update
# dist-upgrade, because a fix may need a new package: a kernel's name has its ABI in it.
apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold dist-upgrade
