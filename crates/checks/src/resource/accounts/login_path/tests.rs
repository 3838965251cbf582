//! Tests of the `login_path` resource with recorded frames.

use crate::resource::filesystem::fstab_rows::tests::encode_files;
use crate::tests::{IDENTITY, lines};

const PROFILE: &str =
    "if [ \"$(id -u)\" -eq 0 ]; then\nPATH=/usr/sbin:/open\nelse\nPATH=/usr/bin:.\nfi\n";

fn judge_check(yaml: &str, files: &[(&str, Option<&str>)]) -> String {
    let text = encode_files(files, &[]);
    let states = "p /usr/sbin\np /open\np /usr/bin\np /bin\n> usr/bin\np /gone\nn\n=here\n\
        41ed 0 0 1 /usr/sbin\n41ff 0 0 1 /open\n41ed 0 0 1 /usr/bin\na1ff 0 0 1 /bin\n=gone\n\
        stat: cannot statx '/gone': No such file or directory\n=there\n41ed 7 0 1 /bin\n";
    let frames = [
        IDENTITY,
        ("search-path", "", 0, "-", text.as_str()),
        ("session-path", "", 0, "-", "/usr/bin:/bin:/gone"),
        ("directories", "", 0, "-", states),
    ];
    lines(&format!("- {yaml}"), &frames).join("")
}

#[test]
fn last_assignment_sets_the_path() {
    let defs = (
        "/etc/login.defs",
        Some("ENV_SUPATH\tPATH=/usr/sbin\nENV_PATH PATH=/usr/bin\n"),
    );
    let environment = ("/etc/environment", Some("PATH=\"/usr/bin:/gone\"\n"));
    let profile = ("/etc/profile", Some(PROFILE));
    let is = |login: &str, path: &str| {
        format!("{{login_path: {login}, directories: {{same_set: {path}}}}}")
    };
    assert!(judge_check(&is("root", "[/usr/sbin]"), &[defs]).starts_with("passed"));
    assert!(judge_check(&is("user", "[/usr/bin]"), &[defs]).starts_with("passed"));
    assert!(
        judge_check(&is("root", "[/usr/bin, /gone]"), &[defs, environment]).starts_with("passed")
    );
    assert!(
        judge_check(
            &is("root", "[/usr/sbin, /open]"),
            &[defs, environment, profile]
        )
        .starts_with("passed")
    );
    assert!(
        judge_check(&is("user", "[/usr/bin, .]"), &[defs, environment, profile])
            .starts_with("passed")
    );
    assert!(judge_check(&is("session", "[/usr/bin, /bin, /gone]"), &[]).starts_with("passed"));
    assert!(
        judge_check("{login_path: root, directories: {disjoint: [.]}}", &[]).starts_with("failed"),
        "nothing says it"
    );
    let odd = ("/etc/profile.d/x.sh", Some("[ -d /x ] && PATH=/x"));
    assert!(
        judge_check(
            "{login_path: root, directories: {disjoint: [.]}}",
            &[profile, odd]
        )
        .starts_with("error")
    );
}

#[test]
fn directories_of_other_owners_are_writable() {
    let profile = ("/etc/profile", Some(PROFILE));
    assert!(
        judge_check(
            "{login_path: root, writable: {same_set: [/open]}}",
            &[profile]
        )
        .starts_with("passed")
    );
    assert!(judge_check("{login_path: root}", &[profile]).starts_with("failed"));
    assert!(
        judge_check("{login_path: user, writable: {same_set: [.]}}", &[profile])
            .starts_with("passed")
    );
    assert!(
        judge_check("{login_path: session, writable: {same_set: [/bin]}}", &[])
            .starts_with("passed"),
        "a link's goal counts"
    );
    let unseen = ("/etc/profile", Some("PATH=/never/looked/at"));
    assert!(judge_check("{login_path: root}", &[unseen]).starts_with("error"));
}
