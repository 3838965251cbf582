# Install the packages of image @{ image }@.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y -o Dpkg::Options::=--force-confold install --no-install-recommends --@% for name in packages %@ @{ name }@@% endfor %@

