# Applies a Puppet manifest. Removes Puppet afterwards, unless the image contains it.
set -eu
# Ruby reads facts in the encoding of the locale.
export LC_ALL=C.UTF-8 PATH="$PATH:/opt/puppetlabs/bin"
@{ package_manager | safe }@
uploaded=@{ uploaded }@
work=$(mktemp -d)
cleanup() { rm -rf -- "$work" "$uploaded"; }
trap cleanup EXIT

brought=
if ! command -v puppet >/dev/null; then
    brought=puppet-agent
    if getent passwd puppet >/dev/null; then : > "$work/user"; fi
    # AL2023 and RHEL have no package of Puppet, so the image needs a repository that has one.
    install_stopped "$brought"
fi

modules=@{ modules }@
mkdir -p "$work/conf" "$work/modules"
cat > "$work/conf/puppet.conf" <<CONF
[main]
vardir = $work/var
codedir = $work/code
logdir = $work/log
rundir = $work/run
publicdir = $work/public
basemodulepath = ${modules:+$uploaded/$modules:}/etc/puppet/modules:/usr/share/puppet/modules
CONF
hiera=@{ hiera }@
if [ -n "$hiera" ]; then
    printf 'hiera_config = %s\n' "$uploaded/$hiera" >> "$work/conf/puppet.conf"
fi
@% for fact in facts %@export FACTER_@{ fact.name | safe }@=@{ fact.value }@
@% endfor %@
# 0: no changes, 2: changes. Other codes mean at least one failure (puppet-apply(8),
# --detailed-exitcodes).
{
    code=0
    puppet apply --detailed-exitcodes --write-catalog-summary --color=false --confdir "$work/conf" "$uploaded/"@{ manifest }@ || code=$?
    echo "$code" > "$work/code.txt"
} 2>&1 | tee "$work/said"
read -r code < "$work/code.txt"
case $code in
    0 | 2) ;;
    *)
        grep -a '^Error: ' "$work/said" | tail -n 3 >&2 || true
        echo "puppet apply of "@{ manifest }@" failed, exit $code" >&2
        exit 1
        ;;
esac

if [ -n "$brought" ]; then
    # Packages of the manifest stay installed, even if Puppet installed them as dependencies.
    sed -n 's/^package\[\(.*\)\]$/\1/p' "$work/var/state/resources.txt" 2>/dev/null | while read -r package; do
        if is_installed "$package"; then
            keep_package "$package"
            if [ "$package" = "$brought" ]; then : > "$work/wanted"; fi
        fi
    done
    if [ ! -e "$work/wanted" ]; then
        remove_packages "$brought"
        # Neither dpkg nor rpm removes the user of a package.
        if [ ! -e "$work/user" ] && getent passwd puppet >/dev/null; then userdel puppet; fi
        rm -rf /var/cache/puppet /var/lib/puppet /var/log/puppet /etc/puppet /var/cache/facter \
            /var/log/puppetlabs /etc/puppetlabs /opt/puppetlabs
    fi
fi
