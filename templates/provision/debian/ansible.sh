# Remove what Ansible leaves in the instance.
set -eu
rm -rf -- @{ remote_temp }@
for home in /root ~@{ login_user | safe }@; do
    rm -rf -- "$home/.ansible/tmp" "$home/.ansible_async"
    rmdir -- "$home/.ansible" 2>/dev/null || true
done
