# Reboots the base image if the update of its packages installed a kernel. The rest of the build then
# runs with the new kernel: modules are built for it, and old kernels can be removed.
if [ "$(list_kernels)" != "$kernels" ] && [ -d /run/systemd/system ]; then
    echo "the update installed a kernel; rebooting"
    : > /var/lib/bakeline-kernel
    : > /run/bakeline-rebooting
    stopped=
    trap 'stopped=yes' HUP TERM
    systemctl reboot || [ -n "$stopped" ]
    waited=0
    while [ -z "$stopped" ] && [ "$waited" -lt 600 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    exit 0
fi
: > /run/bakeline-updated
