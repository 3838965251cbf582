# Installs the packages of image @{ image }@.
set -eu
@{ apt | safe }@
run_dnf install --@% for name in packages %@ @{ name }@@% endfor %@

