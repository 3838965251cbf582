//! Lists checks of the small root, with their outcomes before and after changes.

use super::root::Change::{self, Link, Mode, None, Remove, Write};

/// A check, its outcome, a change of the root, and the outcome after all changes.
pub(super) type Case = (&'static str, &'static str, Change, &'static str);

/// SHA-256 digest of `x` and a line break.
pub(super) const NO_SHA: &str = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac";

pub(super) const CASES: &[Case] = &[
    (
        "{file: /etc/changed, writable: {subset_of: [owner]}}",
        "passed",
        Mode("etc/changed", 0o666),
        "failed",
    ),
    (
        "{file: /etc/changed, readable: {same_set: [owner, group, other]}, executable: {empty: true}}",
        "passed",
        None,
        "passed",
    ),
    (
        "{file: /etc/changed, be_writable: {include: other}}",
        "failed",
        None,
        "passed",
    ),
    (
        "{file: /usr/bin/tool, suid: false, sgid: false, sticky: false}",
        "passed",
        Mode("usr/bin/tool", 0o7755),
        "failed",
    ),
    (
        "{file: /usr/bin/tool, suid: true, sgid: true, sticky: true, executable: {include: other}}",
        "failed",
        None,
        "passed",
    ),
    (
        "{file: /etc/link, sha256: SHA}",
        "passed",
        Write("etc/plain", "y\n", 0o644),
        "failed",
    ),
    (
        "{file: /etc/going, uid: UID, gid: GID}",
        "passed",
        Remove("etc/going"),
        "failed",
    ),
    (
        "{file: /etc/going, uid: {not: 12345}, writable: {not: {include: other}}}",
        "passed",
        None,
        "failed",
    ),
    ("{file: /srv, sha256: SHA}", "failed", None, "failed"),
    ("{acl: /etc/plain}", "ls", None, "ls"),
    ("{acl: /etc/going}", "ls", None, "failed"),
    (
        "{files: /srv, name: .rhosts}",
        "failed",
        Remove("srv/a"),
        "passed",
    ),
    (
        "{files: /srv, perm_any: \"6000\", exclude: /srv/skip}",
        "passed",
        Mode("srv/set", 0o2755),
        "failed",
    ),
    (
        "{files: /srv, perm_any: \"6000\", paths: {same_set: [/srv/skip/set]}}",
        "passed",
        None,
        "failed",
    ),
    (
        "{files: /srv, perm_all: \"6000\"}",
        "passed",
        Mode("srv/skip/set", 0o6755),
        "failed",
    ),
    (
        "{files: /srv, perm_all: \"0002\"}",
        "passed",
        Mode("srv/open", 0o646),
        "failed",
    ),
    (
        "{files: /srv, type: directory, max_depth: 1, paths: {same_set: [/srv/a, /srv/b, /srv/skip]}}",
        "passed",
        None,
        "failed",
    ),
    (
        "{files: /srv, name: deep, max_depth: 3}",
        "passed",
        Write("srv/b/deep", "x", 0o644),
        "failed",
    ),
    (
        "{files: /srv, name: \"line*\", paths: {same_set: ['/srv/line\\nbreak']}}",
        "passed",
        Remove("srv/line\nbreak"),
        "failed",
    ),
    (
        "{files: /srv, name: open, owners: {same_set: [OWNER]}, modes: {same_set: [\"0644\"]}}",
        "passed",
        None,
        "failed",
    ),
    (
        "{files: /srv, nouser: true, exclude: /srv/owned}",
        "passed",
        None,
        "passed",
    ),
    ("{files: /, name: hidden}", "passed", None, "passed"),
    ("{files: /proc, name: hidden}", "failed", None, "failed"),
    ("{files: /gone}", "failed", None, "failed"),
    (
        "{files: /gone, if_absent: skip}",
        "skipped",
        None,
        "skipped",
    ),
    ("{files: /etc/link, name: x}", "error", None, "error"),
    (
        "{kernel_parameter: net.ipv4.ip_forward, configured: 0, file: /etc/sysctl.d/50-a.conf}",
        "passed",
        Write("run/sysctl.d/70-c.conf", "net/ipv4/ip_forward=1\n", 0o644),
        "failed",
    ),
    (
        "{kernel_parameter: kernel.sysrq, configured: 0}",
        "passed",
        Write("etc/sysctl.d/51-c.conf", "-kernel.sysrq = 1", 0o644),
        "failed",
    ),
    (
        "{kernel_parameter: kernel.kptr_restrict, configured: 1}",
        "passed",
        Link("/dev/null", "etc/sysctl.d/60-b.conf"),
        "failed",
    ),
    (
        "{kernel_parameter: net.ipv4.tcp_syncookies, configured: 1, file: /etc/sysctl.d/99-sysctl.conf}",
        "passed",
        Write("etc/sysctl.conf", "#none\n", 0o644),
        "failed",
    ),
    (
        "{kernel_parameter: net.ipv4.conf.all.rp_filter, configured: 1}",
        "passed",
        Write(
            "usr/lib/sysctl.d/10-d.conf",
            "-net.ipv4.conf.all.rp_filter\n",
            0o644,
        ),
        "failed",
    ),
    (
        "{kernel_parameter: net.ipv4.conf.default.rp_filter, configured: 1}",
        "passed",
        None,
        "passed",
    ),
    (
        "{kernel_parameter: vm.x, configured: 1, running: 1}",
        "skipped",
        None,
        "skipped",
    ),
    (
        "{kernel_parameter: vm.x, configured: 2, running: 1}",
        "failed",
        None,
        "failed",
    ),
    (
        "{kernel_parameter: vm.y, configured: {not: 1}}",
        "failed",
        None,
        "failed",
    ),
    (
        "{kernel_module: cramfs}",
        "passed",
        Write(
            "etc/modprobe.d/0.conf",
            "install cramfs /sbin/modprobe -i cramfs\n",
            0o644,
        ),
        "failed",
    ),
    (
        "{kernel_module: usb_storage, blacklisted: true}",
        "passed",
        Write("etc/modprobe.d/a.conf", "#\n", 0o644),
        "failed",
    ),
    (
        "{kernel_module: ext4, builtin: true}",
        "passed",
        Write("lib/modules/6.1.0-x/modules.builtin", "x/vfat.ko\n", 0o644),
        "failed",
    ),
    (
        "{kernel_module: cramfs, loaded: false}",
        "skipped",
        None,
        "skipped",
    ),
    (
        "{mount: /tmp, configured: true, configured_options: {superset_of: [nosuid, noexec]}}",
        "passed",
        Write(
            "etc/fstab",
            "UUID=1 / ext4 ro 0 1\ntmpfs /tmp tmpfs noexec,exec 0 0\n",
            0o644,
        ),
        "failed",
    ),
    (
        "{mount: /dev/shm, configured_options: {include: noexec}}",
        "passed",
        None,
        "failed",
    ),
    (
        "{mount: /var/x, configured: true, configured_options: {same_set: [nodev]}}",
        "passed",
        Write(
            "etc/systemd/system/var-x.mount.d/a.conf",
            "[Mount]\nOptions=dev\n",
            0o644,
        ),
        "failed",
    ),
    (
        "{mount: /tmp, options: {include: noexec}}",
        "skipped",
        None,
        "skipped",
    ),
    (
        "{fstab: /, options: {same_set: [defaults]}, fstype: ext4, device: UUID=1, pass: 1}",
        "passed",
        None,
        "failed",
    ),
    (
        "{fstab: all, mount_points: {include: /dev/shm}}",
        "passed",
        None,
        "failed",
    ),
    ("{fstab: /dev/shm}", "passed", None, "failed"),
    (
        "{passwd: all, system_logins: {empty: true}, logins: {same_set: [root, bob]}}",
        "passed",
        Write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n",
            0o644,
        ),
        "failed",
    ),
    (
        "{passwd: bob, uid: 1000, gid: 1000, home: /home/bob, shell: /bin/sh}",
        "passed",
        None,
        "failed",
    ),
    (
        "{etc_group: sudo, gid: 27, members: {empty: true}}",
        "passed",
        Write("etc/group", "root:x:0:\nsudo:x:27:bob\n", 0o644),
        "failed",
    ),
    (
        "{etc_group: all, names: {include: web}, gids: {include: \"33\"}}",
        "passed",
        None,
        "failed",
    ),
    (
        "{shadow: bob, hash: yescrypt, min_days: 1, max_days: {at_most: 90}, warn_days: 7, inactive_days: 30, expires: 20000, last_change: 19000}",
        "passed",
        Write(
            "etc/shadow",
            "root::19000:0:99999:7:::\nbob:$1$SALT$HASH:19000:0:99999:7:::\n",
            0o640,
        ),
        "failed",
    ),
    (
        "{shadow: all, without_password: {empty: true}, hashes: {same_set: [locked, yescrypt]}}",
        "passed",
        None,
        "failed",
    ),
    ("{shadow: root, hash: locked}", "passed", None, "failed"),
    (
        "{login_path: root, directories: {same_set: [/usr/sbin, /usr/bin]}}",
        "passed",
        Write("etc/profile", "PATH=/usr/sbin:.:/usr/bin\n", 0o644),
        "failed",
    ),
    ("{login_path: root}", "passed", None, "failed"),
    (
        "{login_path: user, writable: {disjoint: [/usr/bin]}}",
        "passed",
        Mode("usr/bin", 0o777),
        "failed",
    ),
    ("{login_path: session}", "skipped", None, "skipped"),
    (
        "{cpu: this, flags: {include: nx}}",
        "skipped",
        None,
        "skipped",
    ),
];
