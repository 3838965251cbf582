//! Tests of the `cloud_init` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

const FOUND: &str = "-rwxr-xr-x 1 0 0 9 Jan  1 12:00 ./usr/bin/cloud-init\n\
    -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./usr/lib/systemd/system/cloud-init.service\n\
    lrwxrwxrwx 1 0 0 9 Jan  1 12:00 \
    ./etc/systemd/system/cloud-init.target.wants/cloud-init.service -> \
    /lib/systemd/system/cloud-init.service\n\
    drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/instances\n\
    drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/scripts\n\
    drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/scripts/per-boot\n\
    drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/seed\n";

const OURS: &str = "drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/instances/i-1\n\
    lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./var/lib/cloud/instance -> /var/lib/cloud/instances/i-1\n";

fn judge_check(yaml: &str, found: &str, status: &str) -> String {
    let frames = [
        IDENTITY,
        ("cloud_init", "", 0, "-", found),
        ("cloud_status", "", 0, "-", status),
    ];
    lines(&format!("- {{cloud_init: this{yaml}}}"), &frames).join("")
}

#[test]
fn cloud_init_is_enabled_unless_disabled_or_masked() {
    assert_eq!(judge_check("", FOUND, ""), "passed  cloud_init:this");
    let off = "-rw-r--r-- 1 0 0 0 Jan  1 12:00 ./etc/cloud/cloud-init.disabled\n";
    let masked =
        "lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./etc/systemd/system/cloud-init.service -> /dev/null\n";
    for (found, why) in [
        (format!("{FOUND}{off}"), "cloud-init.disabled exists"),
        (format!("{FOUND}{masked}"), "is masked"),
        (FOUND.replace(".target.wants", ".other"), "is disabled"),
    ] {
        let line = judge_check("", &found, "");
        assert!(line.starts_with("failed") && line.contains(why), "{line}");
    }
    let gone = judge_check(
        "",
        &FOUND.replace("./usr/bin/cloud-init\n", "./usr/bin/cloud-id\n"),
        "",
    );
    assert!(
        gone.starts_with("failed") && gone.contains("installed: expected true"),
        "{gone}"
    );
}

#[test]
fn state_and_earlier_instances_differ() {
    assert_eq!(
        judge_check(", state: {empty: true}, earlier: {empty: true}", FOUND, ""),
        "passed  cloud_init:this"
    );
    let ours = format!("{FOUND}{OURS}");
    assert!(judge_check(", state: {empty: true}", &ours, "").starts_with("failed"));
    assert_eq!(
        judge_check(", earlier: {empty: true}", &ours, ""),
        "passed  cloud_init:this"
    );
    let line = judge_check(
        ", earlier: {empty: true}",
        &format!(
            "{ours}{}",
            OURS.lines().next().expect("one").replace("i-1", "i-0")
        ),
        "",
    );
    assert!(
        line.contains("actual \"/var/lib/cloud/instances/i-0\""),
        "{line}"
    );
}

#[test]
fn status_matches_cloud_init_status() {
    let json = |stage: &str, errors: &str| {
        format!(
            r#"{{"v1": {{"stage": {stage}, "datasource": "DataSourceEc2Local", "init": {{"errors": [{errors}], "finished": 1.5}}}}}}"#
        )
    };
    for (text, word) in [
        ("disabled".to_owned(), "disabled"),
        ("not run".to_owned(), "not run"),
        (format!("finished\n{}", json("null", "")), "done"),
        (format!("finished\n{}", json("null", "\"x\"")), "error"),
        (format!("running\n{}", json("null", "")), "running"),
        (format!("finished\n{}", json("\"init\"", "")), "running"),
    ] {
        assert_eq!(
            judge_check(&format!(", status: {word}"), FOUND, &text),
            "passed  cloud_init:this",
            "{text}"
        );
    }
    assert!(judge_check(", status: done", FOUND, "finished\n{").starts_with("error"));
    let directory = [("identity", "", 0, "-", "uid=0\ndirectory=yes\n")];
    assert!(lines("- {cloud_init: this, status: done}", &directory)[0].starts_with("skipped"));
}
