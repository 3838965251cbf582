# Moves an uploaded file to its destination.
set -eu
umask 022
to=@{ destination }@
mkdir -p -- "$(dirname -- "$to")"
install -T -o @{ owner }@ -g @{ group }@ -m @{ mode }@ -- @{ uploaded }@ "$to"
rm -f -- @{ uploaded }@
