//! Tests the arguments of `ssh` and the classification of its errors. tests/cli/targets runs `ssh`.

use super::*;

fn target() -> SshTarget {
    SshTarget {
        host: "10.0.0.7".to_owned(),
        port: Some(22),
        user: Some("admin".to_owned()),
        key: Some("/run dir/key".into()),
        known_hosts: Some("/run dir/100%/known_hosts".into()),
        trust: HostKeyPolicy::Known,
        config: SshConfig::Isolated,
        ssm: None,
    }
}

fn command_line(target: &SshTarget) -> String {
    ssh_arguments(target).join(" ")
}

#[test]
fn isolated_config_checks_host_key_and_never_prompts() {
    let line = command_line(&target());
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
        line.ends_with(&format!("-l admin -- 10.0.0.7 {REMOTE_COMMAND}")),
        "{line}"
    );
    let first = SshTarget {
        trust: HostKeyPolicy::AcceptNew,
        ..target()
    };
    assert!(ssh_arguments(&first).contains(&"StrictHostKeyChecking=accept-new".to_owned()));
}

#[test]
fn user_config_adds_no_identity_options() {
    let users = SshTarget {
        port: None,
        user: None,
        key: None,
        known_hosts: None,
        config: SshConfig::User,
        ..target()
    };
    let line = command_line(&users);
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
fn ssm_session_has_the_region_of_the_catalog() {
    let through_ssm = SshTarget {
        host: "i-0123456789abcdef0".to_owned(),
        ssm: Some(crate::model::Region::from("eu-central-1")),
        ..target()
    };
    let proxy = "ProxyCommand=aws ssm start-session --region eu-central-1 --target %h \
                 --document-name AWS-StartSSHSession --parameters portNumber=%p";
    assert!(ssh_arguments(&through_ssm).contains(&proxy.to_owned()));
    assert!(!command_line(&target()).contains("ProxyCommand"));
}

#[test]
fn connection_errors_are_classified() {
    let finished = |stderr: &str| Finished {
        code: Some(255),
        output: ScriptOutput::default(),
        stderr: stderr.to_owned(),
    };
    for (stderr, kind) in [
        (
            "ssh: connect to host 10.0.0.7 port 22: Connection refused\r\n",
            ShellErrorKind::Unreachable,
        ),
        (
            "admin@10.0.0.7: Permission denied (publickey).\r\n",
            ShellErrorKind::Login,
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
             Host key verification failed.\n",
            ShellErrorKind::HostKey,
        ),
        (
            "No ED25519 host key is known for 10.0.0.7 and you have requested strict checking.\n\
             Host key verification failed.\n",
            ShellErrorKind::HostKey,
        ),
    ] {
        let error = connection_error(&finished(stderr)).expect("error");
        assert_eq!(error.kind, kind, "{stderr}");
        assert!(
            error
                .message
                .ends_with(stderr.trim().lines().last().expect("a line")),
            "{error}"
        );
    }
    assert!(!is_retryable(ShellErrorKind::HostKey) && is_retryable(ShellErrorKind::Unreachable));
    let failed_script = Finished {
        code: Some(1),
        ..finished("")
    };
    assert!(connection_error(&failed_script).is_none());
}

#[tokio::test]
async fn generated_host_keys_differ_and_have_every_type() {
    let keys = OpenSsh.generate_host_keys().await.expect("keys");
    let other = OpenSsh.generate_host_keys().await.expect("keys");
    assert_eq!(
        keys.iter().map(|k| k.kind.as_str()).collect::<Vec<_>>(),
        KEY_TYPES
    );
    for (one, another) in keys.iter().zip(&other) {
        assert_ne!(one.public, another.public);
        assert!(one.private.expose().contains("PRIVATE KEY-----"));
        assert!(!format!("{one:?}").contains("PRIVATE KEY-----"));
        assert_eq!(
            one.public.split(' ').count(),
            2,
            "a comment would name this machine: {}",
            one.public
        );
    }
}
