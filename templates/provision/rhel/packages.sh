# Installs the packages of image @{ image }@.
set -eu
@{ package_manager | safe }@
run_dnf install --@% for name in packages %@ @{ name }@@% endfor %@

