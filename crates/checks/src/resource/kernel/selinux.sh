# Sends the configuration of SELinux, boot loader settings that change it, and the mode of the kernel.
selinux() {
  from /etc/selinux/config
  walked selinux_config 0 -type f -exec awk '!/^[ \t]*(#|$)/' '{}' +
  from /etc/default/grub /etc/kernel/cmdline /boot/loader/entries
  walked selinux_boot 1 -type f '(' -name grub -o -name cmdline -o -name '*.conf' ')' \
    -exec awk '!/^[ \t]*#/ && /(selinux|enforcing)=0/' '{}' +
  [ "$owned" = yes ] && [ -z "$R" ] || return 0
  if [ ! -e /sys/fs/selinux/enforce ]; then
    put selinux_mode - 0 disabled
  elif said=$(cat /sys/fs/selinux/enforce 2>/dev/null); then
    case $said in 1) said=enforcing ;; 0) said=permissive ;; esac
    put selinux_mode - 0 "$said"
  else
    put selinux_mode - 2 'Permission denied'
  fi
}
