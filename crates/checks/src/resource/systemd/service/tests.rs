//! Tests of the `service` resource with recorded frames.

use super::*;
use crate::tests::{IDENTITY, lines};

const CHROOT: (&str, &str, i32, &str, &str) =
    ("identity", "", 0, "-", "uid=0\nservice_manager=no\n");

#[test]
fn one_answer_covers_all_units() {
    let show = "cron.service\ngone.service\nssh.socket\nmasked.service\nslow.service\n\n\
        LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n\
        LoadState=not-found\nActiveState=inactive\nUnitFileState=\n\n\
        LoadState=loaded\nActiveState=failed\nUnitFileState=static\n\n\
        LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n\n\
        LoadState=loaded\nActiveState=activating\nUnitFileState=disabled\n";
    let table = [
        ("{service: cron}", "passed  service:cron"),
        (
            "{service: cron.service, enabled: false}",
            "failed  service:cron.service  enabled: expected false, actual true (enabled)",
        ),
        (
            "{service: gone, enabled: true}",
            "failed  service:gone  enabled: expected true, actual false (the unit does not exist)",
        ),
        (
            "{service: gone, enabled: false, running: false}",
            "passed  service:gone",
        ),
        (
            "{service: ssh.socket, running: true}",
            "failed  service:ssh.socket  running: expected true, actual false (failed); \
                journal: two | three | no such file",
        ),
        (
            "{service: ssh.socket, enabled: true}",
            "passed  service:ssh.socket",
        ),
        (
            "{service: masked, enabled: true}",
            "failed  service:masked  enabled: expected true, actual false (masked)",
        ),
        (
            "{service: slow, running: true}",
            "failed  service:slow  running: expected true, actual false (activating)",
        ),
        (
            "{service: nobody-asked}",
            "error   service:nobody-asked  enabled: it was not collected; running: it was not \
                collected",
        ),
    ];
    for (yaml, line) in table {
        let verdicts = lines(
            &format!("- {yaml}"),
            &[
                IDENTITY,
                ("services", "", 0, "-", show),
                (
                    "journal",
                    "ssh.socket",
                    0,
                    "-",
                    "one\ntwo\nthree\nno such file\n",
                ),
                ("journal", "slow.service", 0, "-", ""),
            ],
        );
        assert_eq!(verdicts.join("\n"), line, "{yaml}");
    }
}

#[test]
fn chroot_skips_running_but_knows_enabled() {
    let enabled = "cron.service\nodd.service\n\nUnitFileState=enabled\n\nProblem=Failed to get\n\
        UnitFileState=\n\n";
    let frames = [CHROOT, ("services", "", 0, "-", enabled)];
    assert_eq!(
        lines("- {service: cron, enabled: true}", &frames),
        ["passed  service:cron"]
    );
    let verdicts = lines("- {service: cron, enabled: true, running: true}", &frames);
    assert_eq!(
        verdicts,
        ["skipped service:cron  running: no service manager is running"]
    );
    let verdicts = lines("- {service: cron, running: false}", &frames);
    assert!(verdicts[0].starts_with("skipped"), "{verdicts:?}");
    let verdicts = lines("- {service: odd, enabled: false}", &frames);
    assert_eq!(verdicts, ["error   service:odd  enabled: Failed to get"]);
}

#[test]
fn unknown_answer_is_an_error() {
    for payload in [
        "a.service\n\nHost is down\n\nx",
        "a.service\nb.service\n\nLoadState=loaded\n",
        "a.service\n\n",
    ] {
        let verdicts = lines(
            "- {service: a, enabled: false}",
            &[IDENTITY, ("services", "", 0, "-", payload)],
        );
        assert!(verdicts[0].starts_with("error "), "{payload}: {verdicts:?}");
    }
}

#[test]
fn globs_and_options_are_not_unit_names() {
    for good in [
        "ssh",
        "getty@tty1",
        "dev-disk-by\\x2duuid.swap",
        "systemd-tmpfiles-clean.timer",
    ] {
        assert_eq!(check_name(good), Ok(()), "{good}");
    }
    for bad in ["", "-a", "a*", "a[b]", "a/b", "a b", "a\nb", "$(id)"] {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}
