# unit directories: AppArmor's unit, its profiles on disk, what the boot loader is told of it, and what the kernel has loaded.
apparmor() {
  # shellcheck disable=SC2086 # words
  from $1 /etc/apparmor.d
  listing apparmor_files 2 -name apparmor.service -o -path './etc/apparmor.d/*' '(' -type f -o -type l ')'
  from /etc/default/grub /etc/default/grub.d /etc/kernel/cmdline
  walked kernel_command_line 1 -type f '(' -name grub -o -name '*.cfg' -o -name cmdline ')' \
    -exec awk '!/^[ \t]*#/ && /(apparmor|security|lsm)=/' '{}' +
  [ "$owned" = yes ] && [ -z "$R" ] || return 0
  at=/sys/module/apparmor/parameters/enabled
  if [ ! -e "$at" ]; then
    put apparmor_kernel - 0 absent
  elif said=$(cat "$at" 2>/dev/null); then
    put apparmor_kernel - 0 "$said"
  else
    put apparmor_kernel - 2 'Permission denied'
  fi
  if rows=$(cat /sys/kernel/security/apparmor/profiles 2>/dev/null); then
    put apparmor_profiles - 0 "$rows"
  elif [ -e /sys/kernel/security/apparmor/profiles ]; then
    put apparmor_profiles - 2 'Permission denied'
  else
    put apparmor_profiles - 1 ''
  fi
}

