//! Tests of `Match` blocks with recorded frames.

use super::{DIRECTORY, MAIN, assert_outcomes, judge_check, main_file};
use crate::tests::IDENTITY;

#[test]
fn match_block_does_not_apply_to_everyone() {
    let text = "Port 22\nInclude /glob\nMatch User a\n  PermitRootLogin no\n  Banner none\n\
        Match all\n  X11Forwarding no\n  Port 1\nMatch all\nX11Forwarding yes\n";
    let inner = (
        "config",
        "/inner",
        0,
        "-",
        "Port 23\nMatch Address ::1\nPasswordAuthentication no\nMatch all\nAllowTcpForwarding no\n",
    );
    let frames = [
        IDENTITY,
        main_file(text),
        ("include", MAIN, 0, "-", "? /glob\n= /inner\n"),
        inner,
    ];
    assert_outcomes(
        "passed",
        &[
            "file, X11Forwarding: \"no\"",
            "file, AllowTcpForwarding: \"no\"",
            "file, PasswordAuthentication: {absent: true}",
            // `Match all` overrides options outside of it.
            "file, Port: 1",
        ],
        &frames,
    );
    let line = judge_check("file, PermitRootLogin: \"no\"", &frames);
    assert!(
        line.starts_with("failed") && line.contains("only conditionally (/etc/ssh/sshd_config:4)"),
        "{line}"
    );
    // A file included in a block belongs to the block, even if it has its own blocks.
    let within = [
        IDENTITY,
        main_file("Match User a\nInclude /glob\nBanner none\n"),
        ("include", MAIN, 0, "-", "? /glob\n= /inner\n"),
        inner,
    ];
    assert_outcomes(
        "failed",
        &[
            "file, Port: 23",
            "file, AllowTcpForwarding: \"no\"",
            "file, Banner: none",
        ],
        &within,
    );
    // A block of an included file ends with the file.
    let after = [
        IDENTITY,
        main_file("Include /glob\nBanner none\n"),
        ("include", MAIN, 0, "-", "? /glob\n= /inner\n"),
        inner,
    ];
    assert_outcomes("passed", &["file, Port: 23", "file, Banner: none"], &after);
}

#[test]
fn match_block_is_named_by_file_line_and_criteria() {
    let text = "PasswordAuthentication no\nMatch User bob,eve Address 10.0.0.0/8\n\
        ChallengeResponseAuthentication TRUE\nInclude /inner\nSetEnv A=secret\nMatch all\nBanner /x\n";
    let inner = (
        "config",
        "/inner",
        0,
        "-",
        "X11Forwarding yes\nMatch Group x\nPermitRootLogin Yes\nMatch all\nPermitTunnel no\n",
    );
    let frames = [
        DIRECTORY,
        main_file(text),
        ("include", MAIN, 0, "-", "? /inner\n= /inner\n"),
        inner,
    ];
    let outer = "User bob,eve Address 10.0.0.0/8";
    let expected = format!(
        "{{same_set: [\"{MAIN}:3: kbdinteractiveauthentication yes (Match {outer})\", \
         \"/inner:1: x11forwarding yes (Match {outer})\", \"{MAIN}:5: setenv ... (Match {outer})\", \
         \"/inner:3: permitrootlogin yes (Match {outer}, Group x)\", \
         \"/inner:5: permittunnel no (Match {outer}, all)\"]}}"
    );
    assert_outcomes(
        "passed",
        &[
            &format!("file, match_options: {expected}"),
            &format!("effective, match_options: {expected}"),
        ],
        &frames,
    );
    let absent = [DIRECTORY, ("config", MAIN, 1, "-", "")];
    assert_outcomes("passed", &["file, match_options: {empty: true}"], &absent);
    let unread = [
        DIRECTORY,
        main_file(text),
        ("include", MAIN, 0, "-", "? /inner\n! permission denied\n"),
    ];
    assert_outcomes("error", &["file, match_options: {empty: true}"], &unread);
}
