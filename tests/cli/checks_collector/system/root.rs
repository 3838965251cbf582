//! Creates a small root file system and changes it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::super::write_file;

/// A change of the root.
pub(super) enum Change {
    /// Writes a file with this content and mode.
    Write(&'static str, &'static str, u32),
    Mode(&'static str, u32),
    Remove(&'static str),
    /// Creates a symbolic link with a target at a path.
    Link(&'static str, &'static str),
    /// Makes no change, because changes of other cases affect the check.
    None,
}

use Change::{Link, Mode, None, Remove, Write};

impl Change {
    pub(super) fn apply(&self, root: &Path) {
        let full = |path: &str| root.join(path);
        match self {
            Write(path, content, mode) => write_file(root, path, content.as_bytes(), *mode),
            Mode(path, mode) => {
                fs::set_permissions(full(path), fs::Permissions::from_mode(*mode)).expect("mode")
            }
            Remove(path) if full(path).is_dir() => {
                fs::remove_dir_all(full(path)).expect("directory")
            }
            Remove(path) => fs::remove_file(full(path)).expect("file"),
            Link(to, path) => {
                let _ignored = fs::remove_file(full(path));
                fs::create_dir_all(full(path).parent().expect("a parent")).expect("directory");
                symlink(to, full(path)).expect("link");
            }
            None => {}
        }
    }
}

/// Path, content and mode of the files of [`create_root`].
const FILES: &[(&str, &str, u32)] = &[
    (
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:/usr/sbin/nologin\nbob:x:1000:1000::/home/bob:/bin/sh\n",
        0o644,
    ),
    (
        "etc/group",
        "root:x:0:\nsudo:x:27:\nweb:x:33:\nbob:x:1000:\n",
        0o644,
    ),
    (
        "etc/shadow",
        "root:!:19000:0:99999:7:::\nbob:$y$j9T$SALT$HASH:19000:1:90:7:30:20000:\n",
        0o640,
    ),
    ("etc/sysctl.conf", "net.ipv4.tcp_syncookies=1\n", 0o644),
    (
        "etc/sysctl.d/50-a.conf",
        "net.ipv4.ip_forward = 0\nkernel.sysrq=0\nnet.ipv4.conf.*.rp_filter=1\nvm.x=1\n",
        0o644,
    ),
    (
        "usr/lib/sysctl.d/60-b.conf",
        "kernel.kptr_restrict=1\n",
        0o644,
    ),
    ("usr/lib/systemd/systemd-sysctl", "x", 0o755),
    (
        "etc/modprobe.d/a.conf",
        "install cramfs /bin/true\nblacklist usb-storage\n",
        0o644,
    ),
    (
        "lib/modules/6.1.0-x/modules.builtin",
        "kernel/fs/ext4/ext4.ko\n",
        0o644,
    ),
    (
        "etc/fstab",
        "UUID=1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs nosuid,noexec 0 0\ntmpfs /dev/shm tmpfs noexec 0 0\n",
        0o644,
    ),
    (
        "usr/lib/systemd/system/var-x.mount",
        "[Mount]\nWhere=/var/x\nOptions=nodev\n",
        0o644,
    ),
    (
        "etc/login.defs",
        "ENV_SUPATH PATH=/usr/sbin:/usr/bin\nENV_PATH PATH=/usr/bin\n",
        0o644,
    ),
    (
        "etc/profile",
        "if [ \"$(id -u)\" -eq 0 ]; then\n  PATH=\"/usr/sbin:/usr/bin\"\nelse\n  PATH=\"/usr/bin\"\nfi\n",
        0o644,
    ),
    ("usr/bin/tool", "x", 0o755),
    ("usr/sbin/tool", "x", 0o755),
    ("etc/plain", "x\n", 0o644),
    ("etc/changed", "x\n", 0o644),
    ("etc/going", "x\n", 0o644),
    ("srv/a/.rhosts", "x", 0o600),
    ("srv/b/c/d/deep", "x", 0o644),
    ("srv/open", "x", 0o644),
    ("srv/set", "x", 0o755),
    ("srv/skip/set", "x", 0o4755),
    ("srv/line\nbreak", "x", 0o644),
    ("proc/hidden", "x", 0o4755),
];

/// Creates a small root file system.
pub(super) fn create_root(root: &Path) {
    for (path, content, mode) in FILES {
        write_file(root, path, content.as_bytes(), *mode);
    }
    Link("../sysctl.conf", "etc/sysctl.d/99-sysctl.conf").apply(root);
    Link(
        "../var-x.mount",
        "usr/lib/systemd/system/local-fs.target.wants/var-x.mount",
    )
    .apply(root);
    Link("/etc/plain", "etc/link").apply(root);
    for dir in [
        "usr/bin",
        "usr/sbin",
        "srv",
        "srv/a",
        "srv/b",
        "srv/b/c",
        "srv/b/c/d",
        "srv/skip",
    ] {
        fs::set_permissions(root.join(dir), fs::Permissions::from_mode(0o755)).expect("mode");
    }
}
