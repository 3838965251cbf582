//! Tests the files of sudoers on a real root: includes, links and file names.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use super::image::chmod;
use super::{parse_controls, shells, verdict_line, verdict_line_in, write_file};

fn create_root(root: &Path) {
    let main = "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n# \\\n@includedir /etc/sudoers.d\n";
    write_file(root, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644);
    write_file(root, "etc/sudoers", main.as_bytes(), 0o440);
    write_file(root, "etc/sudoers.d/README", b"# NOPASSWD: none\n", 0o440);
    write_file(
        root,
        "etc/sudoers.d/90-cloud-init-users",
        b"admin ALL=(ALL) NOPASSWD:ALL\n",
        0o440,
    );
    let ignored = b"evil ALL=(ALL) NOPASSWD:ALL\n";
    for name in ["x.dpkg-old", "y~", ".hidden"] {
        write_file(root, &format!("etc/sudoers.d/{name}"), ignored, 0o440);
    }
    for directory in ["", "etc", "etc/sudoers.d"] {
        chmod(root, directory, 0o755);
    }
}

const CLEAN: &str = "{sudoers: all, passwordless: {subset_of: [admin]}, problems: {empty: true}}";

#[test]
fn sudoers_include_outside_etc_is_read() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_root(root);
    let line = verdict_line(root, CLEAN);
    assert!(line.starts_with("passed"), "{line}");
    for (name, text, path, rule) in [
        (
            "a",
            "@includedir /opt/sudo.d\n",
            "opt/sudo.d/x",
            "bob ALL=NOPASSWD: ALL\n",
        ),
        (
            "b",
            "#include \"/srv/a b\"\n",
            "srv/a b",
            "%bob ALL=(ALL) \\\n NOPASSWD:ALL\n",
        ),
        (
            "c",
            "@include \\\n ../up\\ x\n",
            "etc/up x",
            "Defaults:bob !authenticate\n",
        ),
        (
            "d",
            "# x \\\n#includedir /linked\n",
            "var/real/-rf",
            "U ALL=NOPASSWD:ALL\n",
        ),
    ] {
        symlink("/var/real", root.join("linked")).unwrap_or_default();
        write_file(root, path, rule.as_bytes(), 0o440);
        let include = format!("etc/sudoers.d/{name}");
        write_file(root, &include, text.as_bytes(), 0o440);
        let line = verdict_line(root, CLEAN);
        assert!(line.starts_with("failed"), "{name}: {line}");
        let place = path.rsplit_once('/').expect("a parent").1;
        assert!(line.contains(&format!("{place}:1: ")), "{name}: {line}");
        fs::remove_file(root.join(include)).expect("removed");
    }
    let named = "Plugin sudoers_policy sudoers.so sudoers_file=/opt/sudo.d/x\n";
    write_file(root, "etc/sudo.conf", named.as_bytes(), 0o644);
    let line = verdict_line(root, CLEAN);
    assert!(line.contains("/opt/sudo.d/x:1: bob"), "{line}");
}

#[test]
fn unsafe_files_of_sudo_are_found() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_root(root);
    let is_root = fs::metadata(root).expect("own").uid() == 0;
    let expected = if is_root { "passed" } else { "failed" };
    let check = "{sudoers: all, unsafe: {empty: true}}";
    assert!(verdict_line(root, check).starts_with(expected));
    for (path, mode) in [
        ("etc/sudoers.d/README", 0o460),
        ("etc/sudoers.d", 0o757),
        ("etc", 0o775),
    ] {
        let before = fs::metadata(root.join(path)).expect("a file").mode();
        chmod(root, path, mode);
        let line = verdict_line(root, check);
        assert!(line.starts_with("failed") && line.contains(path), "{line}");
        chmod(root, path, before & 0o7777);
    }
}

#[test]
fn circular_missing_and_odd_includes_are_reported() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_root(root);
    let text = "@include /etc/sudoers\n@include /gone\n@includedir /gone.d\n";
    write_file(root, "etc/sudoers.d/a", text.as_bytes(), 0o440);
    let line = verdict_line(root, CLEAN);
    for part in [
        "/etc/sudoers.d/a:1: circular include of /etc/sudoers",
        "/etc/sudoers.d/a:2: /gone does not exist",
    ] {
        assert!(line.starts_with("failed") && line.contains(part), "{line}");
    }
    assert!(!line.contains("gone.d"), "sudo ignores it: {line}");
    fs::remove_file(root.join("etc/sudoers.d/a")).expect("removed");
    write_file(root, "etc/sudoers.d/x\ny", b"", 0o440);
    let line = verdict_line(root, CLEAN);
    assert!(
        line.starts_with("error") && line.contains("line break"),
        "{line}"
    );
    fs::remove_file(root.join("etc/sudoers.d/x\ny")).expect("removed");
    fs::remove_dir_all(root.join("etc")).expect("removed");
    write_file(root, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644);
    let line = verdict_line(root, CLEAN);
    assert!(line.starts_with("passed"), "without sudo: {line}");
}

/// One shell is enough: each file starts several programs.
#[test]
fn too_many_files_of_sudo_are_an_error() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_root(root);
    for i in 0..201 {
        write_file(root, &format!("etc/sudoers.d/{i}"), b"", 0o440);
    }
    let controls = parse_controls(&format!("- {CLEAN}"));
    let line = verdict_line_in(&shells()[0], root, &controls);
    assert!(
        line.starts_with("error") && line.contains("more than 200"),
        "{line}"
    );
}
