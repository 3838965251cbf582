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
@% if is_base %@
list_kernels() { stat -c '%n %Y' /boot/vmlinuz-* /lib/modules/*/vmlinuz 2>/dev/null || true; }
kernels=$(list_kernels)
@% endif %@
update_packages @{ release_options | safe }@
@% if is_base %@
# The rest of the build runs with the new kernel: modules are built for it, and old kernels can be
# removed. after-update.sh waits for the boot.
if [ "$(list_kernels)" != "$kernels" ] && [ -d /run/systemd/system ]; then
    echo "the update installed a kernel; rebooting"
    : > /var/lib/bakeline-kernel
    : > /run/bakeline-rebooting
    stopped=
    trap 'stopped=yes' HUP TERM
    systemctl reboot
    waited=0
    while [ -z "$stopped" ] && [ "$waited" -lt 600 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    exit 0
fi
: > /run/bakeline-updated
@% endif %@
