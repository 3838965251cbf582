# Records the kernels of a base image before the update of its packages.
list_kernels() { stat -c '%n %i %s %Y' /boot/vmlinuz-* /lib/modules/*/vmlinuz 2>/dev/null || true; }
kernels=$(list_kernels)
