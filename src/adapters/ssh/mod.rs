//! Runs a script as root over the OpenSSH client of the system, in one connection.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::local::{limit_error, script_refusal};
use super::process::child_environment;
use super::script::{Finished, ScriptFailure, run_command};
use crate::ports::{
    HostKey, HostKeyPolicy, ScriptLimits, ScriptOutput, Secret, Shell, ShellError, ShellErrorKind,
    SshConfig, SshTarget,
};

/// Pause between two login attempts.
const LOGIN_PAUSE: Duration = Duration::from_millis(300);
/// Exit code of `ssh` for a failed connection or login (ssh(1), EXIT STATUS).
const CONNECTION_FAILED: i32 = 255;
/// Remote command: one `sudo` for the whole script, or none for root. Any login shell supports the
/// quotes.
const REMOTE_COMMAND: &str =
    r#"sh -c 'if [ "$(id -u)" = 0 ]; then exec sh -s; fi; exec sudo -n -- sh -s'"#;
/// Key types of `ssh-keygen -A`, which a machine runs at its first boot (ssh-keygen(1)).
const KEY_TYPES: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// OpenSSH client. `BAKELINE_SSH_CONFIG` may name a configuration file (ProxyCommand, jump hosts) for
/// the machines of a run.
#[derive(Debug, Default)]
pub struct OpenSsh;

impl OpenSsh {
    fn ssh_command(target: &SshTarget) -> Command {
        let mut command = Command::new("ssh");
        command.args(ssh_arguments(target)).env_clear();
        command.envs(child_environment(match target.config {
            SshConfig::Isolated => &["AWS_"],
            SshConfig::User | SshConfig::File(_) => &["AWS_", "SSH_AUTH_SOCK", "KRB5"],
        }));
        command
    }

    async fn run_once(
        target: &SshTarget,
        script: &str,
        limits: ScriptLimits,
        cancel: &CancellationToken,
    ) -> Result<ScriptOutput, ShellError> {
        match run_command(Self::ssh_command(target), script, limits, cancel).await {
            Ok(finished) => match connection_error(&finished) {
                Some(error) => Err(error),
                None => Ok(finished.output),
            },
            Err(ScriptFailure::Spawn(error)) => {
                let message = format!("cannot start `ssh`: {error}; install openssh-client");
                Err(ShellError {
                    kind: ShellErrorKind::Local,
                    message,
                })
            }
            Err(failure) => Err(limit_error(&failure, limits)),
        }
    }
}

/// Returns the arguments of `ssh` for a target.
fn ssh_arguments(target: &SshTarget) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |arguments: &[&str]| out.extend(arguments.iter().map(|w| (*w).to_owned()));
    let config_file =
        std::env::var("BAKELINE_SSH_CONFIG").unwrap_or_else(|_| "/dev/null".to_owned());
    match &target.config {
        SshConfig::Isolated => add(&[
            "-F",
            &config_file,
            "-o",
            "IdentityAgent=none",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
        ]),
        SshConfig::File(path) => add(&["-F", &path.display().to_string()]),
        SshConfig::User => {}
    }
    // Override settings of the user's configuration that interfere with a single command and its
    // output.
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
        // OpenSSH splits the value at spaces outside of quotes, and expands `%` tokens.
        let path = file.display().to_string().replace('%', "%%");
        add(&["-o", &format!("UserKnownHostsFile=\"{path}\"")]);
    }
    match target.trust {
        HostKeyPolicy::Known => add(&["-o", "StrictHostKeyChecking=yes"]),
        HostKeyPolicy::AcceptNew => add(&["-o", "StrictHostKeyChecking=accept-new"]),
    }
    if let Some(region) = &target.ssm {
        // AWS Systems Manager user guide, "Allow and control permissions for SSH connections
        // through Session Manager".
        let proxy = format!(
            "ProxyCommand=aws ssm start-session --region {region} --target %h \
             --document-name AWS-StartSSHSession --parameters portNumber=%p"
        );
        add(&["-o", &proxy]);
    }
    if let Some(user) = &target.user {
        add(&["-l", user]);
    }
    add(&["--", &target.host, REMOTE_COMMAND]);
    out
}

#[async_trait]
impl Shell for OpenSsh {
    async fn run(
        &self,
        target: &SshTarget,
        script: &str,
        limits: ScriptLimits,
        cancel: &CancellationToken,
    ) -> Result<ScriptOutput, ShellError> {
        let started = Instant::now();
        loop {
            let error = match Self::run_once(target, script, limits, cancel).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            if !is_retryable(error.kind) || started.elapsed() >= limits.login_timeout {
                return Err(ShellError {
                    message: format!("{}: {}", display_name(target), error.message),
                    ..error
                });
            }
            tokio::select! {
                () = tokio::time::sleep(LOGIN_PAUSE) => {}
                () = cancel.cancelled() => {
                    return Err(limit_error(&ScriptFailure::Cancelled, limits));
                }
            }
        }
    }

    async fn generate_host_keys(&self) -> Result<Vec<HostKey>, ShellError> {
        let failed = |reason: String| ShellError {
            kind: ShellErrorKind::Local,
            message: format!(
                "`ssh-keygen` could not generate a host key: {reason}; install openssh-client"
            ),
        };
        let dir = tempfile::tempdir().map_err(|e| failed(e.to_string()))?;
        let mut out = Vec::new();
        for kind in KEY_TYPES {
            let file = dir.path().join(kind);
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", kind, "-N", "", "-C", "", "-f"])
                .arg(&file);
            command.env_clear().envs(child_environment(&[]));
            let limits = ScriptLimits::RUNNING;
            match run_command(command, "", limits, &CancellationToken::new()).await {
                Ok(finished) if finished.code == Some(0) => {}
                Ok(finished) => return Err(failed(finished.last_stderr_line().to_owned())),
                Err(failure) => return Err(failed(limit_error(&failure, limits).message)),
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

fn display_name(target: &SshTarget) -> String {
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

/// Returns true if the error may disappear while the machine is still booting.
fn is_retryable(kind: ShellErrorKind) -> bool {
    matches!(
        kind,
        ShellErrorKind::Unreachable
            | ShellErrorKind::Login
            | ShellErrorKind::Sudo
            | ShellErrorKind::NoShell
    )
}

/// Returns the error of a script that did not run. The output of a script that ran is not judged
/// here.
fn connection_error(finished: &Finished) -> Option<ShellError> {
    if finished.code != Some(CONNECTION_FAILED) {
        return script_refusal(finished);
    }
    let reports = |text: &str| finished.stderr.contains(text);
    let (kind, problem) = if reports("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        (
            ShellErrorKind::HostKey,
            "the host key differs from the known one: this may be another machine",
        )
    } else if reports("host key is known for") || reports("Host key verification failed") {
        (ShellErrorKind::HostKey, "the host key is not known")
    } else if reports("Permission denied") {
        (ShellErrorKind::Login, "the login was refused")
    } else {
        (ShellErrorKind::Unreachable, "the machine cannot be reached")
    };
    Some(ShellError {
        kind,
        message: format!("{problem}: {}", finished.last_stderr_line()),
    })
}

#[cfg(test)]
mod tests;
