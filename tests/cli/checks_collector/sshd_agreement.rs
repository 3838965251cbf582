//! Tests that parsed sshd files agree with the output of `sshd -T`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{assert_verdict_lines, collect_facts, judge_all, parse_controls, shells, write_file};

const MAIN: &str = "Include sshd_config.d/*.conf\nPort 2222\nPort=2200\nPermitRootLogin yes\nLoginGraceTime 2m # two\nSyslogFacility auth\n\
    AllowUsers a \"b c\"\nAllowUsers d\nAcceptEnv LANG LC_*\nSetEnv A=b C=d\nSetEnv E=f\nSubsystem sftp internal-sftp -f AUTH\n\
    AuthenticationMethods publickey,password publickey\nChallengeResponseAuthentication no\nX11Forwarding yes\n\
    Match User x\nPermitTunnel yes\nInclude some.conf\nMatch all\nX11Forwarding no\nMatch all\nX11Forwarding yes\n";

/// Settings of the files, outside Match blocks.
const SETTINGS: &str = "PermitRootLogin: prohibit-password, Port: {same_set: [\"2222\", \"2200\"]}, LoginGraceTime: 120, SyslogFacility: AUTH, \
    AllowUsers: {same_set: [a, b c, d]}, AcceptEnv: {same_set: [LANG, LC_*]}, SetEnv: {same_set: [A=b, C=d]}, \
    Subsystem: sftp internal-sftp -f AUTH, AuthenticationMethods: \"publickey,password publickey\", KbdInteractiveAuthentication: \"no\", \
    X11Forwarding: \"no\", Banner: /b, Ciphers: {same_set: [aes256-ctr, aes128-ctr]}";

/// Defaults and settings in Match blocks. Only sshd knows them.
const DEFAULTS: &str = "PermitTunnel: \"no\", AllowTcpForwarding: \"yes\", AllowAgentForwarding: \"yes\", MaxSessions: 10, MaxAuthTries: 6";

/// Creates `/etc/ssh` in the root, with included files.
fn write_configuration(root: &Path) {
    let files = [
        ("sshd_config", MAIN),
        (
            "some.conf",
            "AllowTcpForwarding no\nMatch all\nAllowAgentForwarding no\n",
        ),
        (
            "sshd_config.d/b.conf",
            "PermitRootLogin no\nBanner /b\nMatch user y\nMaxSessions 1\n",
        ),
        (
            "sshd_config.d/a.conf",
            "PermitRootLogin prohibit-password\nCiphers aes128-ctr,aes256-ctr\r\n",
        ),
    ];
    for (path, text) in files {
        write_file(root, &format!("etc/ssh/{path}"), text.as_bytes(), 0o644);
    }
}

/// Returns a command prefix that mounts a directory at /etc/ssh with a host key for sshd. Returns
/// `None` if that is not possible.
fn mount_ssh_directory(root: &Path) -> Option<Vec<String>> {
    let ssh = root.join("etc/ssh");
    let key = ssh.join("ssh_host_ed25519_key");
    let generated = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    let around = "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && mount --bind \"$0\" /etc/ssh && exec \"$@\"";
    let words = ["unshare", "-m", "sh", "-c", around, ssh.to_str()?].map(str::to_owned);
    let works = generated.is_ok_and(|s| s.success())
        && Command::new("unshare")
            .args(&words[1..])
            .args(["sshd", "-t"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
    works.then(|| words.to_vec())
}

/// Returns the words of a shell in the mount namespace of [`mount_ssh_directory`].
fn shell_around<'a>(around: &'a [String], shell: &[&'a str]) -> Vec<&'a str> {
    let prefix = around.iter().map(String::as_str);
    prefix.chain(shell.iter().copied()).collect()
}

#[test]
fn parsed_files_agree_with_sshd() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    write_configuration(root);
    let Some(around) = mount_ssh_directory(root) else {
        return eprintln!("skipped: sshd, ssh-keygen and a mount namespace are required");
    };
    let yaml = format!(
        "- {{id: set, sshd_config: effective, {SETTINGS}}}\n- {{id: unset, sshd_config: effective, {DEFAULTS}}}"
    );
    let controls = parse_controls(&yaml);
    for shell in shells() {
        assert_verdict_lines(
            &controls,
            &collect_facts(&shell_around(&around, &shell), &controls, None),
            &["passed  set", "passed  unset"],
            &shell,
        );
        let facts = collect_facts(&shell, &controls, Some(root));
        let verdicts = judge_all(&controls, &facts);
        assert_eq!(verdicts[0].line(), "passed  set", "{shell:?}");
        assert!(
            verdicts[1]
                .findings
                .iter()
                .all(|f| f.outcome.as_str() == "error"),
            "{}",
            verdicts[1].line()
        );
    }
    let invalid = "etc/ssh/sshd_config.d/c.conf";
    write_file(root, invalid, b"NoSuchOption yes\n", 0o644);
    for shell in shells() {
        let facts = collect_facts(&shell_around(&around, &shell), &controls, None);
        let line = judge_all(&controls, &facts)[0].line();
        assert!(
            line.starts_with("error") && line.contains("sshd -T says"),
            "{line}"
        );
    }
}
