# Installs the packages of image @{ image }@.
set -eu
export DEBIAN_FRONTEND=noninteractive
@{ package_manager | safe }@
# Otherwise apt treats an unknown name as a regular expression.
apt_get -q -y -o APT::Cmd::Pattern-Only=true -o Dpkg::Options::=--force-confold install --no-install-recommends --@% for name in packages %@ @{ name }@@% endfor %@

