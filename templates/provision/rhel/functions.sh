# Defines the functions of the other scripts for packages, with `run_dnf` of dnf.sh. functions.sh of the
# other folder defines the same functions.

# update_packages OPTIONS...: installs all updates. A missing repository is an error. With the others
# only, no package would look outdated.
update_packages() { run_dnf --refresh --setopt=skip_if_unavailable=False "$@" upgrade; }

# install_packages PACKAGES...: installs packages.
install_packages() { run_dnf install -- "$@"; }

# install_stopped PACKAGES...: installs packages. Their services do not start on this platform.
install_stopped() { install_packages "$@"; }

# remove_packages PACKAGES...: removes packages and the packages that only they needed.
remove_packages() { run_dnf remove -- "$@"; }

# is_installed PACKAGE: returns success if a package is installed.
is_installed() { rpm -q -- "$1" >/dev/null 2>&1; }

# keep_package PACKAGE: keeps an installed package when the packages that need it are removed.
keep_package() { run_dnf mark install "$1" >/dev/null; }

# clean_packages: removes downloads. seal.sh removes the metadata, which the checks need.
clean_packages() { run_dnf clean packages; }
