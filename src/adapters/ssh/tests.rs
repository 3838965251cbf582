//! Tests of what `ssh` is started with and of what its failures are called; runs of it are in tests/cli/targets.

use super::*;

fn target() -> Target {
    Target {
        host: "10.0.0.7".to_owned(),
        port: Some(22),
        user: Some("admin".to_owned()),
        key: Some("/run dir/key".into()),
        known_hosts: Some("/run dir/100%/known_hosts".into()),
        trust: Trust::Known,
        config: SshConfig::Ours,
        ssm: false,
    }
}

fn line(target: &Target) -> String {
    words(target).join(" ")
}

#[test]
fn a_run_knows_the_key_of_its_machines_and_asks_nobody() {
    let line = line(&target());
    for part in [
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UserKnownHostsFile=\"/run dir/100%%/known_hosts\"",
        "-i /run dir/key -o IdentitiesOnly=yes",
        "BatchMode=yes",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(
        line.ends_with(&format!("-l admin -- 10.0.0.7 {REMOTE}")),
        "{line}"
    );
    let first = Target {
        trust: Trust::FirstUse,
        ..target()
    };
    assert!(words(&first).contains(&"StrictHostKeyChecking=accept-new".to_owned()));
}

#[test]
fn a_target_of_the_users_is_entered_as_they_would() {
    let users = Target {
        port: None,
        user: None,
        key: None,
        known_hosts: None,
        config: SshConfig::Users,
        ..target()
    };
    let line = line(&users);
    for part in [
        "-F ",
        "IdentityAgent",
        "GlobalKnownHostsFile",
        "UserKnownHostsFile",
        "-l ",
        "-p ",
        "-i ",
    ] {
        assert!(!line.contains(part), "{part}: {line}");
    }
    assert!(
        line.contains("StrictHostKeyChecking=yes") && line.contains("RemoteCommand=none"),
        "{line}"
    );
}

#[test]
fn failures_have_names() {
    let ended = |said: &str| Ended {
        code: Some(255),
        answer: Answer::default(),
        said: said.to_owned(),
    };
    for (said, kind) in [
        (
            "ssh: connect to host 10.0.0.7 port 22: Connection refused\r\n",
            ShellErrorKind::Unreachable,
        ),
        (
            "admin@10.0.0.7: Permission denied (publickey).\r\n",
            ShellErrorKind::Login,
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n",
            ShellErrorKind::HostKey,
        ),
        (
            "No ED25519 host key is known for 10.0.0.7 and you have requested strict checking.\nHost key verification \
             failed.\n",
            ShellErrorKind::HostKey,
        ),
    ] {
        let error = refused(&ended(said)).expect("refused");
        assert_eq!(error.kind, kind, "{said}");
        assert!(
            error
                .message
                .ends_with(said.trim().lines().last().expect("a line")),
            "{error}"
        );
    }
    assert!(!again(ShellErrorKind::HostKey) && again(ShellErrorKind::Unreachable));
    assert!(
        refused(&Ended {
            code: Some(1),
            answer: Answer::default(),
            said: String::new()
        })
        .is_none()
    );
}

#[tokio::test]
async fn host_keys_are_new_each_time_and_of_every_kind() {
    let keys = OpenSsh.new_host_keys().await.expect("keys");
    let other = OpenSsh.new_host_keys().await.expect("keys");
    assert_eq!(
        keys.iter().map(|k| k.kind.as_str()).collect::<Vec<_>>(),
        KINDS
    );
    for (one, another) in keys.iter().zip(&other) {
        assert_ne!(one.public, another.public);
        assert!(one.private.reveal().contains("PRIVATE KEY-----"));
        assert!(!format!("{one:?}").contains("PRIVATE KEY-----"));
        assert_eq!(
            one.public.split(' ').count(),
            2,
            "no comment, which would name this machine: {}",
            one.public
        );
    }
}
