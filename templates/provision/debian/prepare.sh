# Updates a new Debian instance before the provisioners run.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive
@{ sudo | safe }@
@{ package_manager | safe }@
@{ boot | safe }@
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
