# Checks that the update of a base image is complete, possibly after a reboot into its kernel.
set -eu
if [ -e /run/bakeline-rebooting ]; then
    echo "the instance did not reboot into its updated kernel within 10 min" >&2
    exit 1
elif [ -e /run/bakeline-updated ]; then
    : > /run/bakeline-script
elif [ ! -e /var/lib/bakeline-kernel ]; then
    echo "the connection was lost during the update of the packages" >&2
    exit 1
fi
rm -f -- /run/bakeline-updated /var/lib/bakeline-kernel
