//! Runs a script with the `sh` of this machine, as root if requested.

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::process::child_environment;
use super::script::{Finished, ScriptFailure, run_command};
use crate::ports::{ScriptLimits, ScriptOutput, ShellError, ShellErrorKind};

/// Runs a script and returns its output. With `root` it runs through `sudo -n`, unless the current
/// user is root.
///
/// # Errors
/// Fails if `sh` is missing, if `sudo` refuses, or if the script exceeds a limit.
pub async fn run(
    script: &str,
    root: bool,
    limits: ScriptLimits,
    cancel: &CancellationToken,
) -> Result<ScriptOutput, ShellError> {
    let program = if root && !rustix::process::geteuid().is_root() {
        "sudo"
    } else {
        "sh"
    };
    let mut command = Command::new(program);
    if program == "sudo" {
        command.args(["-n", "--", "sh"]);
    }
    command.arg("-s").env_clear().envs(child_environment(&[]));
    let finished = run_command(command, script, limits, cancel)
        .await
        .map_err(|failure| shell_error(failure, limits, program))?;
    match script_refusal(&finished) {
        Some(error) => Err(error),
        None => Ok(finished.output),
    }
}

/// Returns an error if the shell did not run the script at all.
pub(super) fn script_refusal(finished: &Finished) -> Option<ShellError> {
    let error = |kind, message: String| Some(ShellError { kind, message });
    let sudo = finished.stderr.lines().rfind(|line| line.contains("sudo:"));
    match (finished.code, sudo) {
        (Some(0), _) => None,
        (_, Some(line)) => error(ShellErrorKind::Sudo, line.trim().to_owned()),
        (Some(126 | 127), None) => error(
            ShellErrorKind::NoShell,
            finished.last_stderr_line().to_owned(),
        ),
        (_, None) => None,
    }
}

fn shell_error(failure: ScriptFailure, limits: ScriptLimits, program: &str) -> ShellError {
    match failure {
        ScriptFailure::Spawn(error) => ShellError {
            kind: ShellErrorKind::Local,
            message: format!("cannot start `{program}`: {error}"),
        },
        other => limit_error(&other, limits),
    }
}

/// Converts an exceeded limit or a cancellation to an error.
pub(super) fn limit_error(failure: &ScriptFailure, limits: ScriptLimits) -> ShellError {
    let (kind, message) = match failure {
        ScriptFailure::Timeout => (
            ShellErrorKind::Timeout,
            format!(
                "the script did not end within {} s",
                limits.timeout.as_secs()
            ),
        ),
        ScriptFailure::OutputLimit => (
            ShellErrorKind::OutputLimit,
            format!("the script wrote more than {} MiB", limits.max_bytes >> 20),
        ),
        ScriptFailure::Cancelled => (ShellErrorKind::Cancelled, "cancelled".to_owned()),
        ScriptFailure::Spawn(error) => (ShellErrorKind::Local, error.to_string()),
    };
    ShellError { kind, message }
}

/// Returns the standard output of a script, for tests that are not asynchronous.
#[cfg(test)]
pub fn script_stdout(script: &str) -> Result<Vec<u8>, ShellError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let output = runtime.block_on(run(
        script,
        false,
        ScriptLimits::RUNNING,
        &CancellationToken::new(),
    ))?;
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn run_here(script: &str, limits: ScriptLimits) -> Result<Vec<u8>, ShellError> {
        let cancel = CancellationToken::new();
        let output = run(script, false, limits, &cancel).await?;
        Ok(output.stdout)
    }

    #[tokio::test]
    async fn run_returns_stdout_despite_stderr_and_exit_code() {
        let stdout = run_here("echo out; echo err >&2; exit 3", ScriptLimits::RUNNING)
            .await
            .expect("output");
        assert_eq!(stdout, b"out\n");
    }

    #[tokio::test]
    async fn timeout_kills_script_and_its_children() {
        let limits = ScriptLimits {
            timeout: Duration::from_secs(1),
            ..ScriptLimits::RUNNING
        };
        let dir = tempfile::tempdir().expect("directory");
        let fifo = dir.path().join("fifo");
        // The child waits for a writer that never comes. After its end the pipe has no reader.
        let script = format!("mkfifo '{0}'; cat '{0}'", fifo.display());
        let error = run_here(&script, limits).await.expect_err("timeout");
        assert_eq!(error.kind, ShellErrorKind::Timeout);
        assert!(error.message.contains("1 s"), "{error}");
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let open_for_writing = || rustix::fs::open(&fifo, flags, rustix::fs::Mode::empty());
        let deadline = std::time::Instant::now() + Duration::from_secs(300);
        while open_for_writing().is_ok() {
            assert!(
                std::time::Instant::now() < deadline,
                "the child outlives its parent"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn output_limit_applies_to_stdout_only() {
        let limits = ScriptLimits {
            max_bytes: 1 << 20,
            ..ScriptLimits::RUNNING
        };
        let endless = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
        let error = run_here(endless, limits).await.expect_err("output limit");
        assert_eq!(error.kind, ShellErrorKind::OutputLimit);
        assert!(error.message.contains("1 MiB"), "{error}");
        let long_stderr = "head -c 100000000 /dev/zero >&2; echo done";
        assert_eq!(
            run_here(long_stderr, limits).await.expect("output"),
            b"done\n"
        );
    }

    #[tokio::test]
    async fn cancellation_ends_script() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let (result, ()) = tokio::join!(
            run("sleep 600", false, ScriptLimits::RUNNING, &cancel),
            async move { stop.cancel() }
        );
        assert_eq!(
            result.expect_err("cancelled").kind,
            ShellErrorKind::Cancelled
        );
    }

    #[test]
    fn sudo_and_shell_refusals_are_distinguished() {
        let finished = |code, stderr: &str| Finished {
            code: Some(code),
            output: ScriptOutput::default(),
            stderr: stderr.to_owned(),
        };
        for (code, stderr, expected) in [
            (
                1,
                "banner\nsudo: a password is required\n",
                Some(ShellErrorKind::Sudo),
            ),
            (
                127,
                "sh: 1: exec: sudo: not found\n",
                Some(ShellErrorKind::Sudo),
            ),
            (
                127,
                "fish: Unknown command: sh\n",
                Some(ShellErrorKind::NoShell),
            ),
            (126, "", Some(ShellErrorKind::NoShell)),
            // The shell started the script. The output of the collector shows how far the script ran.
            (2, "sh: syntax error", None),
            (0, "sudo: unable to resolve host x", None),
        ] {
            let kind = script_refusal(&finished(code, stderr)).map(|e| e.kind);
            assert_eq!(kind, expected, "{code}: {stderr}");
        }
    }
}
