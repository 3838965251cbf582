# Installs the packages of image @{ image }@.
set -eu
@{ package_manager | safe }@
install_packages@% for name in packages %@ @{ name }@@% endfor %@

