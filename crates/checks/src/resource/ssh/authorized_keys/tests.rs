//! Tests of the `authorized_keys` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nadmin:x:1000:1000::/home/admin:/bin/bash\n\
    web:x:33:33::/var/www:/x\n";
const FILES: &str = "root:0:/root:/root/.ssh/authorized_keys\n\
    admin:1000:/home/admin:/home/admin/.ssh/authorized_keys\n";
const STATS: &str = "drwx------ 1 0 0 9 Jan  1 12:00 ./root\n\
    drwx------ 1 0 0 9 Jan  1 12:00 ./root/.ssh\n\
    -rw------- 1 0 0 9 Jan  1 12:00 ./root/.ssh/authorized_keys\n\
    drwxr-xr-x 1 1000 1000 9 Jan  1 12:00 ./home/admin\n\
    drwx------ 1 1000 1000 9 Jan  1 12:00 ./home/admin/.ssh\n\
    -rw------- 1 1000 1000 9 Jan  1 12:00 ./home/admin/.ssh/authorized_keys\n";

fn judge_check(subject: &str, yaml: &str, stats: &str, of_root: (i32, &str)) -> String {
    let frames = [
        IDENTITY,
        ("passwd", "", 0, "-", PASSWD),
        ("key_files", "", 0, "-", FILES),
        ("key_stats", "", 0, "-", stats),
        (
            "keys",
            "/root/.ssh/authorized_keys",
            of_root.0,
            "-",
            of_root.1,
        ),
        (
            "keys",
            "/home/admin/.ssh/authorized_keys",
            0,
            "-",
            "ssh-ed25519\t\tbob@desk\nssh-rsa\tcommand,no-pty\t\n?\t\t\n",
        ),
    ];
    lines(&format!("- {{authorized_keys: {subject}{yaml}}}"), &frames).join("")
}

#[test]
fn keys_have_account_type_and_comment() {
    for (subject, yaml) in [
        ("all", "users: {same_set: [admin]}"),
        (
            "all",
            "files: {same_set: [/home/admin/.ssh/authorized_keys]}",
        ),
        ("all", "count: 2"),
        ("root", "count: 0"),
        ("web", "files: {empty: true}"),
        ("admin", "types: {same_set: [ssh-ed25519, ssh-rsa]}"),
        ("admin", "comments: {include: bob@desk}"),
        ("admin", "options: {same_set: [\"\", \"command,no-pty\"]}"),
    ] {
        assert_eq!(
            judge_check(subject, &format!(", {yaml}"), STATS, (0, "")),
            format!("passed  authorized_keys:{subject}"),
            "{yaml}"
        );
    }
    assert!(
        judge_check("all", ", users: {same_set: [admin]}", STATS, (0, "?\t\t\n"))
            .starts_with("failed"),
        "no key, but something"
    );
    assert!(
        judge_check("nobody", ", count: 0", STATS, (0, "")).contains("but it has no such account")
    );
}

#[test]
fn unreadable_file_is_an_error() {
    let line = judge_check("all", ", count: 2", STATS, (2, "Permission denied"));
    assert_eq!(
        line,
        "error   authorized_keys:all  count: /root/.ssh/authorized_keys: permission denied"
    );
    assert!(
        judge_check("admin", ", count: 2", STATS, (2, "Permission denied")).starts_with("passed"),
        "another account's"
    );
    assert!(lines("- {authorized_keys: all}", &[IDENTITY])[0].starts_with("error"));
}

#[test]
fn writable_files_and_parents_are_unsafe() {
    assert_eq!(
        judge_check("all", "", STATS, (0, "")),
        "passed  authorized_keys:all"
    );
    for (from, to, path) in [
        (
            "-rw------- 1 0 0 9 Jan  1 12:00 ./root/.ssh/a",
            "-rw------- 1 7 0 9 Jan  1 12:00 ./root/.ssh/a",
            "/root/.ssh/authorized_keys",
        ),
        ("drwx------ 1 1000", "drwxrwx--- 1 1000", "/home/admin/.ssh"),
        ("drwxr-xr-x 1 1000", "drwxr-xrwx 1 1000", "/home/admin"),
        (
            "drwx------ 1 0 0 9 Jan  1 12:00 ./root/.ssh\n",
            "drwx------ 1 1000 0 9 Jan  1 12:00 ./root/.ssh\n",
            "/root/.ssh",
        ),
    ] {
        let line = judge_check("all", "", &STATS.replace(from, to), (0, ""));
        assert_eq!(
            line,
            format!("failed  authorized_keys:all  unsafe: expected empty, actual \"{path}\"")
        );
    }
}
