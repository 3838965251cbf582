//! Tests of the `ssh_config` resource with recorded frames.

use crate::tests::{IDENTITY, lines};

const MAIN: &str = "/etc/ssh/ssh_config";

fn judge_check(expected: &str, frames: &[(&str, &str, i32, &str, &str)]) -> String {
    lines(&format!("- {{ssh_config: {expected}}}"), frames).join("")
}

#[test]
fn only_options_for_all_hosts_count() {
    let text = "Include ssh_config.d/*.conf\nHost *.example !x\n ForwardAgent yes\n\
        Host *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\nMatch final all\nForwardX11 yes\n\
        Match all\nHashKnownHosts no\nSendEnv X\n";
    let inner = (
        "config",
        "/etc/ssh/ssh_config.d/a.conf",
        0,
        "-",
        "Port 22\nHost a\nBatchMode yes\n",
    );
    let glob = (
        "include",
        MAIN,
        0,
        "-",
        "? /etc/ssh/ssh_config.d/*.conf\n= /etc/ssh/ssh_config.d/a.conf\n",
    );
    let frames = [IDENTITY, ("config", MAIN, 0, "-", text), glob, inner];
    for (yaml, outcome) in [
        ("file, Port: 22", "passed"),
        ("file, hashknownhosts: \"yes\"", "passed"),
        ("file, SendEnv: {same_set: [LANG, LC_*, X]}", "passed"),
        ("file, ForwardAgent: {absent: true}", "passed"),
        ("file, ForwardX11: {absent: true}", "passed"),
        ("file, BatchMode: \"yes\"", "failed"),
    ] {
        assert!(
            judge_check(yaml, &frames).starts_with(outcome),
            "{yaml}: {}",
            judge_check(yaml, &frames)
        );
    }
}

#[test]
fn effective_options_come_from_the_client() {
    let output = "port 22\ntunnel false\npubkeyauthentication true\nstricthostkeychecking false\n\
        macs a,b\nidentityfile ~/.ssh/a\nidentityfile ~/.ssh/b\n";
    let main = ("config", MAIN, 0, "-", "Tunnel yes\n");
    let frames = [IDENTITY, main, ("ssh-effective", "", 0, "-", output)];
    for (yaml, outcome) in [
        ("effective, Port: \"22\"", "passed"),
        ("effective, Tunnel: \"no\"", "passed"),
        ("effective, PubkeyAuthentication: \"yes\"", "passed"),
        (
            "effective, StrictHostKeyChecking: {match: ask|yes}",
            "failed",
        ),
        ("effective, StrictHostKeyChecking: \"no\"", "passed"),
        ("effective, MACs: {subset_of: [a, b]}", "passed"),
        ("effective, IdentityFile: {count: 2}", "passed"),
        ("effective, UseRoaming: {absent: true}", "passed"),
    ] {
        assert!(
            judge_check(yaml, &frames).starts_with(outcome),
            "{yaml}: {}",
            judge_check(yaml, &frames)
        );
    }
    let silent = [IDENTITY, main, ("ssh-effective", "", 1, "-", "")];
    assert!(judge_check("effective, Tunnel: point-to-point", &silent).starts_with("passed"));
    assert!(judge_check("effective, Port: 22", &silent).starts_with("error"));
    let refused = [
        IDENTITY,
        main,
        (
            "ssh-effective",
            "",
            3,
            "-",
            "Bad owner or permissions on /etc/ssh/x\n",
        ),
    ];
    assert!(judge_check("effective, Tunnel: point-to-point", &refused).contains("Bad owner"));
}
