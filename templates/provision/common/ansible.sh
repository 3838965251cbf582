# Removes the files of Ansible and ansible-prepare.sh from the instance.
set -eu
# A task such as `reboot` restarted the instance. Settings of the build in /run are lost then, as in reboot.sh.
if [ ! -e /run/bakeline-playbook ] && [ -d /run/systemd/system ]; then
    echo "the instance has rebooted"
    timeout 300 systemctl is-system-running --wait >/dev/null || true
    @{ boot | safe }@
    (
        @{ deadline | safe }@
    ) || true
fi
rm -f /run/bakeline-playbook
rm -rf -- @{ remote_temp }@
# A playbook can have replaced the program with its own, which stays.
if grep -qs "bakeline's setfacl for Ansible" /usr/local/bin/setfacl; then rm -f /usr/local/bin/setfacl; fi
# Backups of tasks with `backup: true` (Ansible, AnsibleModule.backup_local): FILE.PID.DATE@TIME~
find /etc -xdev -type f -name '*.[0-9]*.20[0-9][0-9]-[01][0-9]-[0-3][0-9]@[0-2][0-9]:[0-5][0-9]:[0-9][0-9]~' -delete
# Tasks with `async` write to the home directory of their user.
getent passwd | cut -d: -f6 | sort -u | while IFS= read -r home; do
    [ -d "$home/.ansible" ] || [ -d "$home/.ansible_async" ] || continue
    rm -rf -- "$home/.ansible/tmp" "$home/.ansible_async"
    rmdir -- "$home/.ansible" 2>/dev/null || true
done
