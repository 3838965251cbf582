# Updates a new instance before the provisioners run.
set -eu
umask 022
@{ sudo | safe }@
@{ package_manager | safe }@
@{ boot | safe }@
# On a hardened parent, a login has umask 027 (login.defs(5), pam_umask(8)). Installed files must be
# readable for all users unless their mode says otherwise, so commands of root use 022 during the
# build (sudoers(5), umask_override). A provisioner can require terminals for sudo, so the last file
# allows commands without them. cleanup.sh removes the file.
if [ -d /etc/sudoers.d ]; then
    printf 'Defaults umask=0022, umask_override, !requiretty\n' > /etc/sudoers.d/zz-bakeline-build
    chmod 0440 /etc/sudoers.d/zz-bakeline-build
fi
update_packages @{ release_options | safe }@
