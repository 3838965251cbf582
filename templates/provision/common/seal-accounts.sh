# Removes the keys, histories and caches of all accounts. Runs with seal.sh, before it.
# list_key_files USER HOME: prints the files of authorized keys of an account, one in a line
# (sshd_config(5), AuthorizedKeysFile and TOKENS).
list_key_files() {
    sshd -T -C "user=$1,host=localhost,addr=127.0.0.1" 2>/dev/null | sed -n 's/^authorizedkeysfile //p' | tr ' ' '\n' |
        while IFS= read -r pattern; do
            path=$(printf '%s' "$pattern" | sed -e "s|%h|$2|g" -e "s|%u|$1|g" -e "s|%U|$(id -u "$1")|g" -e 's|%%|%|g')
            case $path in none | '') ;; /*) printf '%s\n' "$path" ;; *) printf '%s\n' "$2/$path" ;; esac
        done
}

# seal_account USER HOME: removes the files of one account.
seal_account() {
    list_key_files "$1" "$2" | while IFS= read -r path; do rm -f -- "$path"; done
    case $2 in /?*) ;; *) return 0 ;; esac
    if [ ! -d "$2" ]; then return 0; fi
    rm -f -- "$2/.ssh/authorized_keys" "$2/.ssh/authorized_keys2" "$2/.ssh/known_hosts" "$2/.ssh/known_hosts.old"
    rm -f -- "$2/.bash_history" "$2/.ash_history" "$2/.sh_history" "$2/.zsh_history" "$2/.python_history" \
        "$2/.lesshst" "$2/.viminfo" "$2/.wget-hsts" "$2/.mysql_history" "$2/.psql_history" "$2/.sudo_as_admin_successful"
    rm -rf -- "$2/.cache"
}

(
    set -eu
    PATH="$PATH:/usr/sbin:/sbin"
    # sshd prints its configuration only if this directory of Debian exists.
    if [ -d /run/systemd/system ]; then mkdir -p /run/sshd; fi
    # A home in /home can belong to an account of a directory service.
    for home in /root /home/*; do seal_account root "$home"; done
    getent passwd | while IFS=: read -r user _ _ _ _ home _; do seal_account "$user" "$home"; done
) || exit 1
