//! Owns running a script as root over the system's OpenSSH client: one connection, one round trip, own known hosts.

use std::process::Stdio;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::process::environment;
use crate::ports::{Shell, ShellError, Target};

/// A whole collection, from login to last byte.
const ONE_TRY: Duration = Duration::from_secs(180);
/// Between tries while the machine does not let us in yet.
const PAUSE: Duration = Duration::from_millis(300);
/// OpenSSH's own exit code for "could not connect or log in" (ssh(1), EXIT STATUS).
const SSH_FAILED: i32 = 255;

/// The OpenSSH client. An extra configuration file (ProxyCommand, jump hosts) can be named in `BAKELINE_SSH_CONFIG`.
#[derive(Debug, Default)]
pub struct OpenSsh;

impl OpenSsh {
    fn command(target: &Target) -> Command {
        let mut command = Command::new("ssh");
        let config = std::env::var_os("BAKELINE_SSH_CONFIG").unwrap_or_else(|| "/dev/null".into());
        command.arg("-F").arg(config).arg("-T").arg("-p").arg(target.port.to_string()).arg("-i").arg(&target.key);
        for option in [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=accept-new",
            "GlobalKnownHostsFile=/dev/null",
            "ConnectTimeout=5",
            "ServerAliveInterval=10",
            "LogLevel=ERROR",
        ] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("UserKnownHostsFile={}", target.known_hosts.display()));
        if target.ssm {
            // AWS Systems Manager user guide, "Allow and control permissions for SSH connections through Session Manager".
            command.args(["-o", "ProxyCommand=aws ssm start-session --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p"]);
        }
        command.args(["-l", &target.user, "--", &target.host, "sudo -n sh -s"]);
        command.env_clear().envs(environment(&["AWS_"])).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

#[async_trait]
impl Shell for OpenSsh {
    async fn run(
        &self,
        target: &Target,
        script: &str,
        patience: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, ShellError> {
        let begun = Instant::now();
        loop {
            let tried = tokio::select! {
                tried = tokio::time::timeout(ONE_TRY, once(target, script)) => tried,
                () = cancel.cancelled() => return Err(ShellError { message: "cancelled".to_owned() }),
            };
            let last = match tried {
                Ok(Ok(Ok(out))) => return Ok(out),
                Ok(Ok(Err(refused))) => refused,
                Ok(Err(error)) => {
                    return Err(ShellError {
                        message: format!("`ssh` can't be started: {error}; install openssh-client"),
                    });
                }
                Err(_) => {
                    return Err(ShellError {
                        message: format!("the script did not end within {} s on {}", ONE_TRY.as_secs(), target.host),
                    });
                }
            };
            if !last.retry || begun.elapsed() >= patience {
                let message = format!("{}@{}:{}: {}", target.user, target.host, target.port, last.said);
                return Err(ShellError { message });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

struct Refused {
    said: String,
    retry: bool,
}

async fn once(target: &Target, script: &str) -> std::io::Result<Result<Vec<u8>, Refused>> {
    let mut child = OpenSsh::command(target).spawn()?;
    let mut input = child.stdin.take();
    let script = script.as_bytes().to_vec();
    let feed = async move {
        if let Some(pipe) = input.as_mut() {
            // A closed pipe means that ssh ended; its exit code says why.
            let _fed = pipe.write_all(&script).await;
        }
        drop(input);
    };
    let ((), out) = tokio::join!(feed, child.wait_with_output());
    let out = out?;
    if out.status.code() != Some(SSH_FAILED) && (out.status.success() || !out.stdout.is_empty()) {
        return Ok(Ok(out.stdout));
    }
    let said = String::from_utf8_lossy(&out.stderr).trim().lines().last().unwrap_or("no word").to_owned();
    Ok(Err(Refused { retry: out.status.code() == Some(SSH_FAILED) || said.contains("sudo"), said }))
}
