//! Tests the search for privileged files on real roots with a database of packages.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::image::chmod;
use super::{verdict_line, write_file};

/// Creates a root whose package owns files in /bin and /usr/sbin.
fn create_dpkg_root(root: &Path) {
    write_file(root, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644);
    write_file(root, "etc/os-release", b"ID=debian\n", 0o644);
    write_file(root, "var/lib/dpkg/status", b"", 0o644);
    let list = b"/.\n/bin/su\n/usr/sbin/a b\n/usr/bin/moved\n/usr/bin/local\n";
    write_file(root, "var/lib/dpkg/info/x:amd64.list", list, 0o644);
    let diversions =
        b"/usr/bin/moved\n/usr/bin/moved.distrib\ny\n/usr/bin/local\n/usr/bin/local.orig\n:\n";
    write_file(root, "var/lib/dpkg/diversions", diversions, 0o644);
    symlink("usr/bin", root.join("bin")).expect("link");
    write_file(root, "usr/bin/su", b"x", 0o4755);
    write_file(root, "usr/sbin/a b", b"x", 0o2755);
    write_file(root, "usr/bin/moved.distrib", b"x", 0o4755);
    write_file(root, "usr/bin/local.orig", b"x", 0o4755);
    fs::create_dir_all(root.join("var/mail")).expect("directory");
    chmod(root, "var/mail", 0o2775);
    write_file(root, "proc/x", b"x", 0o4755);
    chmod(root, "", 0o755);
}

#[test]
fn privileged_file_of_no_package_is_found() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_dpkg_root(root);
    let line = verdict_line(root, "{privileged_files: all}");
    assert!(line.starts_with("passed"), "{line}");
    let all = "{privileged_files: all, setuid: {same_set: [/usr/bin/su, /usr/bin/moved.distrib, /usr/bin/local.orig]}, \
        setgid: {same_set: [\"/usr/sbin/a b\"]}, capabilities: {empty: true}}";
    let line = verdict_line(root, all);
    assert!(line.starts_with("passed"), "{line}");
    for (path, mode) in [
        ("var/lib/x/sh", 0o4755),
        ("usr/local/bin/-exec", 0o2755),
        ("srv/a\nu./usr/bin/su", 0o4711),
        ("opt/a b", 0o6755),
        ("usr/bin/local", 0o4755),
    ] {
        write_file(root, path, b"x", mode);
        let line = verdict_line(root, "{privileged_files: all}");
        let shown = path.replace('\n', "\\n");
        assert!(line.starts_with("failed"), "{path:?}: {line}");
        let is_named = line.contains(&shown) || line.contains(&shown.replace('\\', "\\\\"));
        assert!(is_named, "{path:?}: {line}");
        fs::remove_file(root.join(path)).expect("removed");
    }
    write_file(root, "opt/app/helper", b"x", 0o4755);
    let line = verdict_line(
        root,
        "{privileged_files: all, exclude: [{path: /opt/app, reason: needs raw sockets}]}",
    );
    assert!(line.starts_with("passed"), "{line}");
    write_file(root, "srv/a\u{1}b", b"x", 0o644);
    let line = verdict_line(root, "{privileged_files: all}");
    assert!(line.starts_with("error") && line.contains("0x01"), "{line}");
}

#[test]
fn file_capability_of_no_package_is_found() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_dpkg_root(root);
    write_file(root, "usr/bin/plain cap_setuid=ep", b"x", 0o755);
    for path in ["var/tmp/a b", "srv/a\nb", "srv/-r"] {
        write_file(root, path, b"x", 0o755);
        let status = Command::new("setcap")
            .arg("cap_setuid+ep")
            .arg(root.join(path))
            .status();
        if !status.is_ok_and(|s| s.success()) {
            assert_ne!(
                fs::metadata(root).expect("own").uid(),
                0,
                "root can set capabilities"
            );
            return;
        }
    }
    let line = verdict_line(
        root,
        "{privileged_files: all, capabilities: {count: 3, disjoint: [/usr/bin/su]}}",
    );
    assert!(line.starts_with("passed"), "{line}");
    let line = verdict_line(root, "{privileged_files: all}");
    assert!(
        line.starts_with("failed") && line.contains("/var/tmp/a b"),
        "{line}"
    );
}

#[test]
fn unknown_packages_are_no_pass() {
    let dir = tempfile::tempdir().expect("dir");
    create_dpkg_root(dir.path());
    fs::remove_dir_all(dir.path().join("var/lib/dpkg")).expect("removed");
    let line = verdict_line(dir.path(), "{privileged_files: all}");
    assert!(
        line.starts_with("error") && line.contains("no database"),
        "{line}"
    );
}
