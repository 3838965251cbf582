//! Owns running a script as root over the system's OpenSSH client: one connection, one round trip.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::bounded::{self, Broken, Ended};
use super::local::{bound, refusal};
use super::process::environment;
use crate::ports::{
    Answer, Bounds, HostKey, Secret, Shell, ShellError, ShellErrorKind, SshConfig, Target, Trust,
};

/// Between tries while the machine does not let us in yet.
const PAUSE: Duration = Duration::from_millis(300);
/// OpenSSH's own exit code for "could not connect or log in" (ssh(1), EXIT STATUS).
const SSH_FAILED: i32 = 255;
/// One `sudo` for the whole script, and none where we are root. The login shell may be any; all of them know quotes.
const REMOTE: &str = r#"sh -c 'if [ "$(id -u)" = 0 ]; then exec sh -s; fi; exec sudo -n -- sh -s'"#;
/// What `ssh-keygen -A` makes, and so a machine at its first boot (ssh-keygen(1)).
const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// The OpenSSH client. An extra configuration file (ProxyCommand, jump hosts) for the machines of a run can be named in
/// `BAKELINE_SSH_CONFIG`.
#[derive(Debug, Default)]
pub struct OpenSsh;

impl OpenSsh {
    fn command(target: &Target) -> Command {
        let mut command = Command::new("ssh");
        command.args(words(target)).env_clear();
        command.envs(environment(match target.config {
            SshConfig::Ours => &["AWS_"],
            SshConfig::Users | SshConfig::File(_) => &["AWS_", "SSH_AUTH_SOCK", "KRB5"],
        }));
        command
    }

    async fn once(
        target: &Target,
        script: &str,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Answer, ShellError> {
        match bounded::run(Self::command(target), script, bounds, cancel).await {
            Ok(ended) => match refused(&ended) {
                Some(error) => Err(error),
                None => Ok(ended.answer),
            },
            Err(Broken::Unstartable(error)) => {
                let message = format!("`ssh` can't be started: {error}; install openssh-client");
                Err(ShellError {
                    kind: ShellErrorKind::Here,
                    message,
                })
            }
            Err(broken) => Err(bound(&broken, bounds)),
        }
    }
}

/// What `ssh` is started with.
fn words(target: &Target) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| out.extend(words.iter().map(|w| (*w).to_owned()));
    let ours = std::env::var("BAKELINE_SSH_CONFIG").unwrap_or_else(|_| "/dev/null".to_owned());
    match &target.config {
        SshConfig::Ours => add(&[
            "-F",
            &ours,
            "-o",
            "IdentityAgent=none",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
        ]),
        SshConfig::File(path) => add(&["-F", &path.display().to_string()]),
        SshConfig::Users => {}
    }
    // What a configuration may ask for that would get in the way of one command and its output.
    add(&[
        "-T",
        "-o",
        "RemoteCommand=none",
        "-o",
        "PermitLocalCommand=no",
        "-o",
        "ClearAllForwardings=yes",
    ]);
    add(&[
        "-o",
        "BatchMode=yes",
        "-o",
        "LogLevel=ERROR",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "ServerAliveInterval=10",
    ]);
    if let Some(port) = target.port {
        add(&["-p", &port.to_string()]);
    }
    if let Some(key) = &target.key {
        add(&["-i", &key.display().to_string(), "-o", "IdentitiesOnly=yes"]);
    }
    if let Some(file) = &target.known_hosts {
        // OpenSSH splits the value at spaces, which quotes prevent, and replaces what follows a `%`.
        let path = file.display().to_string().replace('%', "%%");
        add(&["-o", &format!("UserKnownHostsFile=\"{path}\"")]);
    }
    match target.trust {
        Trust::Known => add(&["-o", "StrictHostKeyChecking=yes"]),
        Trust::FirstUse => add(&["-o", "StrictHostKeyChecking=accept-new"]),
    }
    if target.ssm {
        // AWS Systems Manager user guide, "Allow and control permissions for SSH connections through Session Manager".
        add(&[
            "-o",
            "ProxyCommand=aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p",
        ]);
    }
    if let Some(user) = &target.user {
        add(&["-l", user]);
    }
    add(&["--", &target.host, REMOTE]);
    out
}

#[async_trait]
impl Shell for OpenSsh {
    async fn run(
        &self,
        target: &Target,
        script: &str,
        bounds: Bounds,
        cancel: &CancellationToken,
    ) -> Result<Answer, ShellError> {
        let begun = Instant::now();
        loop {
            let error = match Self::once(target, script, bounds, cancel).await {
                Ok(out) => return Ok(out),
                Err(error) => error,
            };
            if !again(error.kind) || begun.elapsed() >= bounds.patience {
                return Err(ShellError {
                    message: format!("{}: {}", shown(target), error.message),
                    ..error
                });
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = cancel.cancelled() => return Err(bound(&Broken::Cancelled, bounds)),
            }
        }
    }

    async fn new_host_keys(&self) -> Result<Vec<HostKey>, ShellError> {
        let failed = |why: String| ShellError {
            kind: ShellErrorKind::Here,
            message: format!("`ssh-keygen` made no host key: {why}; install openssh-client"),
        };
        let folder = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
        let mut out = Vec::new();
        for kind in KINDS {
            let file = folder.path().join(kind);
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", kind, "-N", "", "-C", "", "-f"])
                .arg(&file);
            command.env_clear().envs(environment(&[]));
            match bounded::run(command, "", Bounds::UP, &CancellationToken::new()).await {
                Ok(ended) if ended.code == Some(0) => {}
                Ok(ended) => return Err(failed(ended.last().to_owned())),
                Err(broken) => return Err(failed(bound(&broken, Bounds::UP).message)),
            }
            let read = |path| std::fs::read_to_string(path).map_err(|e| failed(e.to_string()));
            let public = read(file.with_extension("pub"))?.trim().to_owned();
            out.push(HostKey {
                kind: kind.to_owned(),
                private: Secret::new(read(file)?),
                public,
            });
        }
        Ok(out)
    }
}

fn shown(target: &Target) -> String {
    let user = target
        .user
        .as_ref()
        .map_or_else(String::new, |user| format!("{user}@"));
    let port = target
        .port
        .filter(|port| *port != 22)
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{user}{}{port}", target.host)
}

/// Whether a machine that is still booting may have changed its mind a moment later.
fn again(kind: ShellErrorKind) -> bool {
    matches!(
        kind,
        ShellErrorKind::Unreachable
            | ShellErrorKind::Login
            | ShellErrorKind::Sudo
            | ShellErrorKind::NoShell
    )
}

/// What kept the script from running; what ran is judged by its output.
fn refused(ended: &Ended) -> Option<ShellError> {
    if ended.code != Some(SSH_FAILED) {
        return refusal(ended);
    }
    let says = |words: &str| ended.said.contains(words);
    let (kind, what) = if says("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        (
            ShellErrorKind::HostKey,
            "its host key is not the one that is known: it may be another machine",
        )
    } else if says("host key is known for") || says("Host key verification failed") {
        (ShellErrorKind::HostKey, "its host key is not known")
    } else if says("Permission denied") {
        (ShellErrorKind::Login, "it does not let us in")
    } else {
        (ShellErrorKind::Unreachable, "it can't be reached")
    };
    Some(ShellError {
        kind,
        message: format!("{what}: {}", ended.last()),
    })
}

#[cfg(test)]
mod tests;
