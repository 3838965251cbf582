#!/bin/sh
# Turns a Debian root into one whose packages are managed by dnf and rpm. Runs in a chroot.
#
# The environment describes the release:
#
# - DIST: suffix of the releases of packages, such as `.el9`.
# - RELEASE_PACKAGE: name of the package that provides `system-release`.
# - SELINUX: mode of SELinux in the configuration.
# - RELEASES: its versions with the value of `releasever`, oldest first: `9.4:9`.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
work=/root/build
repository=/usr/share/vendor-repository
mkdir -p "$work/files" "$work/debs/partial"
apt() { APT_CONFIG=/root/build-apt.conf apt-get -qq -y -o Dir::Cache::archives="$work/debs" "$@"; }

# dnf and rpm as packaged by Debian. Three programs of Debian become packages of rpm. Their
# libraries and accounts stay in the root.
apt update
apt install --no-install-recommends dnf rpm createrepo-c gnupg acl rsyslog
apt install --no-install-recommends auditd chrony ed
apt purge auditd chrony ed

# Debian's rpm has its database in the home directory, so that it does not compete with dpkg.
mkdir -p /etc/rpm /var/lib/rpm
printf '%%_dbpath /var/lib/rpm\n%%_gpg_name Vendor\n%%__gpg /usr/bin/gpg\n%%dist %s\n' "$DIST" > /etc/rpm/macros

# header NAME VERSION: prints the first lines of a spec file.
header() {
    printf 'Name: %s\nVersion: %s\nRelease: 1%s\nSummary: %s\nLicense: none\nAutoReqProv: no\n' "$1" "$2" "$DIST" "$1"
}
# build SPEC FOLDER: builds the packages of a spec file in a folder.
build() {
    rpmbuild -bb --quiet --define "_topdir $work" --define "_rpmdir $work/$2" \
        --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' --define '_build_id_links none' \
        --define 'debug_package %{nil}' --define '__os_install_post %{nil}' --define '_binary_payload w1.gzdio' "$1"
}
# unpack NAME DEBIAN-NAME: extracts a package of Debian without its own scripts and documentation.
unpack() {
    dpkg-deb -x "$work/debs/$2"_*.deb "$work/files/$1"
    (cd "$work/files/$1" && rm -rf etc/init.d etc/default etc/logrotate.d usr/share/doc usr/share/lintian usr/share/bug)
}
# repackage NAME DEBIAN-NAME SERVICE: builds a package of the extracted files. rpm enables its service.
repackage() {
    version=$(dpkg-deb -f "$work/debs/$2"_*.deb Version | sed 's/^[0-9]*://; s/-.*//')
    {
        header "$1" "$version"
        printf '%%description\nRepackaged from %s of Debian.\n%%install\ncp -a %s/. %%{buildroot}/\n' "$2" "$work/files/$1"
        if [ -n "$3" ]; then printf '%%post\nsystemctl enable %s >/dev/null 2>&1 || :\n' "$3"; fi
        printf '%%files\n'
        (cd "$work/files/$1" && find . ! -type d | sed 's|^\.||; s|^/etc/|%config(noreplace) /etc/|')
        (cd "$work/files/$1" && find ./var ./etc/audit ./etc/chrony.d -type d -empty 2>/dev/null | sed 's|^\.|%dir |') || true
    } > "$work/$1.spec"
    build "$work/$1.spec" common
}

# With the paths and names of the RPM families.
unpack audit auditd
mkdir -p "$work/files/audit/var/log/audit"
repackage audit auditd auditd.service
unpack chrony chrony
units=$(dirname "$(find "$work/files/chrony" -name chrony.service)")
sed -e 's|^ExecStart=.*|ExecStart=/usr/sbin/chronyd -F 1 -f /etc/chrony.conf|' -e '/^EnvironmentFile/d' -e '/^Alias=/d' \
    "$units/chrony.service" > "$units/chronyd.service"
rm -r "$units/chrony.service" "$work/files/chrony/etc"
mkdir -p "$work/files/chrony/etc/chrony.d" "$work/files/chrony/var/lib/chrony" "$work/files/chrony/var/log/chrony"
printf 'pool pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\nlogdir /var/log/chrony\n' \
    > "$work/files/chrony/etc/chrony.conf"
repackage chrony chrony chronyd.service
unpack ed ed
repackage ed ed ''

# Two packages with an update. An advisory names the update of vendor-agent.
for version in 1.0:old 1.1:new; do
    for name in vendor-agent vendor-tools; do
        {
            header "$name" "${version%:*}"
            printf 'BuildArch: noarch\n%%description\nPackage with an update.\n%%install\n'
            printf 'mkdir -p %%{buildroot}/usr/share/%s\necho %s > %%{buildroot}/usr/share/%s/version\n' "$name" "${version%:*}" "$name"
            printf '%%files\n/usr/share/%s\n' "$name"
        } > "$work/vendor.spec"
        build "$work/vendor.spec" "${version#*:}"
    done
done
# The package that defines the release (dnf.conf(5), releasever).
folder=old
for pair in $RELEASES; do
    {
        header "$RELEASE_PACKAGE" "${pair%%:*}"
        printf 'BuildArch: noarch\nProvides: system-release = %s\nProvides: system-release(releasever) = %s\n' "${pair%%:*}" "${pair#*:}"
        printf '%%description\nRelease of the vendor.\n%%install\nmkdir -p %%{buildroot}/usr/lib\n'
        printf 'cp /usr/lib/os-release %%{buildroot}/usr/lib/os-release\n%%files\n/usr/lib/os-release\n'
    } > "$work/release.spec"
    build "$work/release.spec" "$folder"
    folder=new
done
# The packages of the root, so that rpm lists what the root contains. They own the files that checks
# search for: those of cloud-init, which include examples of private keys, and those with setuid bit,
# setgid bit or capabilities.
dpkg -L cloud-init | grep '^/usr/' | while read -r path; do if [ -f "$path" ] && [ ! -L "$path" ]; then echo "$path"; fi; done > "$work/cloud-init.list"
find /usr -xdev -type f -perm /6000 > "$work/privileged.list"
if command -v getcap > /dev/null; then getcap -r /usr | sed 's/ [^ ]*$//' >> "$work/privileged.list"; fi
sort -u "$work/cloud-init.list" "$work/privileged.list" > "$work/owned.list"
# list_privileged NAME: prints the privileged files of a package of Debian. dpkg has paths from before
# /bin, /lib and /sbin moved to /usr.
list_privileged() { dpkg -L "$1" | sed -E 's#^/(bin|lib|sbin)/#/usr/&#; s#//#/#' | grep -Fx -f "$work/privileged.list" || true; }
{
    header vendor-base 1
    printf '%%define _binaries_in_noarch_packages_terminate_build 0\n'
    printf 'BuildArch: noarch\n%%description\nBase of the vendor.\n'
    printf '%%install\nmkdir -p %%{buildroot}\ntar -c -P -T %s | tar -x -C %%{buildroot}\n' "$work/owned.list"
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' | while read -r status name version; do
        if [ "$status" != installed ]; then continue; fi
        case $name in dpkg* | apt* | debconf* | debian-* | libapt* | rpm-common) continue ;; esac
        version=$(echo "$version" | sed 's/^[0-9]*://; s/-/./g')
        files=$(list_privileged "$name")
        if [ "$name" = openssh-client ]; then name=openssh-clients; fi
        if [ "$name" = dash ]; then provides=/bin/sh; else provides="$name-base"; fi
        printf '%%package -n %s\nProvides: %s\nVersion: %s\nSummary: %s\nAutoReqProv: no\n%%description -n %s\nFrom Debian.\n%%files -n %s\n' \
            "$name" "$provides" "$version" "$name" "$name" "$name"
        if [ "$name" = cloud-init ]; then cat "$work/cloud-init.list"; else printf '%s\n' "$files"; fi
    done
} > "$work/base.spec"
build "$work/base.spec" base

# Packages are signed, as those of a vendor.
gpg --batch --quiet --passphrase '' --quick-generate-key Vendor rsa2048 sign never
key=/etc/pki/rpm-gpg/RPM-GPG-KEY-vendor
mkdir -p /etc/pki/rpm-gpg /etc/yum.repos.d /etc/dnf
gpg --batch --armor --export Vendor > "$key"
rpmsign --addsign "$work"/*/*.rpm > /dev/null
gpgconf --kill all
rpm --initdb
rpm --import "$key"
rpm -i --justdb "$work"/base/*.rpm
rpm -i --force "$work/old/$RELEASE_PACKAGE"-*.rpm "$work"/old/vendor-*.rpm

# publish RELEASEVER FOLDER...: creates the repository of a release.
publish() {
    target=$repository/$1
    shift
    mkdir -p "$target"
    for folder in "$@"; do cp "$work/$folder"/*.rpm "$target/"; done
    createrepo_c -q "$target"
    if [ -e "$target/vendor-agent-1.1-1$DIST.noarch.rpm" ]; then
        modifyrepo_c --mdtype=updateinfo "$work/updateinfo.xml" "$target/repodata" > /dev/null
    fi
}
cat > "$work/updateinfo.xml" <<XML
<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="vendor@example.com" status="final" type="security" version="1">
<id>VENDOR-2026:0001</id><title>vendor-agent update</title><severity>Important</severity>
<issued date="2026-01-01 00:00:00"/><updated date="2026-01-01 00:00:00"/>
<references><reference href="https://example.com/CVE-2026-0001" id="CVE-2026-0001" type="cve" title="CVE-2026-0001"/></references>
<description>An update of the sandbox.</description>
<pkglist><collection short="vendor"><name>vendor</name>
<package name="vendor-agent" version="1.1" release="1$DIST" epoch="0" arch="noarch"><filename>vendor-agent-1.1-1$DIST.noarch.rpm</filename></package>
</collection></pkglist></update></updates>
XML
for pair in $RELEASES; do
    publish "${pair#*:}" common old
    last=${pair#*:}
done
publish "$last" new
ln -s "$last" "$repository/latest"
cat > /etc/yum.repos.d/vendor.repo <<'REPO'
[vendor]
name=Packages of the vendor
baseurl=file:///usr/share/vendor-repository/$releasever
enabled=1
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-vendor
REPO
printf '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n' > /etc/dnf/dnf.conf

# Files of Debian that a system of this family does not have.
for service in /etc/systemd/system/*/apt-daily*.timer /etc/systemd/system/*/dpkg-db-backup.timer; do rm -f "$service"; done
rm -f /lib/systemd/system/apt-daily* /lib/systemd/system/dpkg-db-backup* /usr/lib/systemd/system/apt-daily*
rm -rf /var/lib/dpkg /var/lib/apt /var/lib/ucf /var/lib/pam /var/cache/apt /var/cache/debconf /var/cache/dnf /var/log/apt /var/log/dpkg.log \
    /var/log/dnf* /var/log/hawkey.log /etc/apt /etc/dpkg /etc/debian_version /usr/lib/apt /usr/lib/dpkg /usr/share/pam-configs
find /usr/bin /usr/sbin /etc/cron.daily /etc/logrotate.d /etc/kernel \( -name 'apt*' -o -name 'dpkg*' \) -exec rm -rf -- {} +
rm -rf "$work" /root/.gnupg /root/.rpmdb /root/build-apt.conf /root/build-sources.list
getent group wheel > /dev/null || groupadd -r wheel
# The modules of cloud-init for apt fail without it.
sed -i -E '/^ *- (apt[-_](configure|pipelining)|grub[-_]dpkg)$/d' /etc/cloud/cloud.cfg
# authselect includes postlogin in all sessions.
printf 'session     optional      pam_umask.so silent\n' > /etc/pam.d/postlogin
for service in common-session common-session-noninteractive; do echo '@include postlogin' >> "/etc/pam.d/$service"; done
mkdir -p /etc/selinux
printf 'SELINUX=%s\nSELINUXTYPE=targeted\n' "$SELINUX" > /etc/selinux/config
