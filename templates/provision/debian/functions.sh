# Defines the functions of the other scripts for packages, with `apt_get` of apt.sh. functions.sh of the
# other folder defines the same functions.
export DEBIAN_FRONTEND=noninteractive

# update_packages: installs all updates.
update_packages() {
    # A missing list is an error. With the other lists only, no package would look outdated.
    apt_get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update
    # dist-upgrade, because a fix can need a new package: the name of a kernel contains its ABI.
    apt_get -q -y -o Dpkg::Options::=--force-confold dist-upgrade
}

# install_packages PACKAGES...: installs packages. By default, apt treats an unknown name as a
# regular expression.
install_packages() {
    apt_get -q -y -o APT::Cmd::Pattern-Only=true -o Dpkg::Options::=--force-confold install --no-install-recommends -- "$@"
}

# install_stopped PACKAGES...: installs packages without starting their services.
install_stopped() {
    apt_policy=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        apt_policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' > "$apt_policy"
        chmod 0755 "$apt_policy"
    fi
    apt_installed=0
    install_packages "$@" || apt_installed=$?
    rm -f -- ${apt_policy:+"$apt_policy"}
    return "$apt_installed"
}

# remove_packages PACKAGES...: removes packages and the packages that only they needed.
remove_packages() { apt_get -q -y purge --autoremove -- "$@"; }

# is_installed PACKAGE: returns success if a package is installed.
is_installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# keep_package PACKAGE: keeps an installed package when the packages that need it are removed.
keep_package() { apt-mark -q manual "$1" >/dev/null; }

# clean_packages: removes packages that none needs, and downloads.
clean_packages() {
    apt_get -q -y autoremove --purge
    apt_get -q clean
}
