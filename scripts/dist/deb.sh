#!/usr/bin/env bash
# Writes the Debian package of an architecture: deb.sh ARCH.
. "$(dirname "$0")/../common.sh"
. scripts/dist/settings.sh
arch=$(debian_arch "$1")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# put SOURCE DESTINATION: install a file that is not executable.
put() { install -D -m 0644 "$1" "$tree/$2"; }

chmod 0755 "$tree"
install -D -m 0755 "$PARTS/$1/bakeline" "$tree/usr/bin/bakeline"
for page in "$PARTS"/share/man/*.1; do
    put "$page" "usr/share/man/man1/$(basename "$page")"
done
put "$PARTS/share/completions/bakeline.bash" usr/share/bash-completion/completions/bakeline
put "$PARTS/share/completions/_bakeline" usr/share/zsh/vendor-completions/_bakeline
put "$PARTS/share/completions/bakeline.fish" usr/share/fish/vendor_completions.d/bakeline.fish
put CHANGELOG.md usr/share/doc/bakeline/changelog
put "$PARTS/share/THIRD-PARTY-LICENSES" usr/share/doc/bakeline/THIRD-PARTY-LICENSES
cat - LICENSE >"$tree/usr/share/doc/bakeline/copyright" <<EOF
Upstream-Name: bakeline
Source: $(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
License: Apache-2.0
Comment: THIRD-PARTY-LICENSES.gz has the licenses of the libraries in the program.

EOF
gzip -9n "$tree"/usr/share/doc/bakeline/{changelog,THIRD-PARTY-LICENSES} "$tree"/usr/share/man/man1/*.1

mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<EOF
Package: bakeline
Version: $VERSION
Architecture: $arch
Maintainer: bakeline maintainers <maintainers@bakeline.invalid>
Installed-Size: $(du -k -s --apparent-size "$tree/usr" | cut -f1)
Recommends: ca-certificates, openssh-client, packer
Suggests: ansible-core, python3-venv
Section: admin
Priority: optional
Homepage: $(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
Description: release pipeline for operating system base images (AMIs)
 bakeline builds images with Packer from a catalog of small YAML files, checks
 them inside the build and on a booted instance, publishes them to environments
 and retires old versions. The program is static and includes a local EC2.
EOF
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$tree" "$DIST/bakeline_${VERSION}_$arch.deb" >&2
