//! Owns running a script with this machine's own `sh`, as root where that is wanted.

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::bounded::{self, Broken, Ended};
use super::process::environment;
use crate::ports::{Answer, Bounds, ShellError, ShellErrorKind};

/// Runs a script and returns its answer; `root` goes through `sudo -n` unless we are root already.
///
/// # Errors
/// There is no `sh` or no right to be root, or a bound was reached.
pub async fn run(
    script: &str,
    root: bool,
    bounds: Bounds,
    cancel: &CancellationToken,
) -> Result<Answer, ShellError> {
    let sudo = root && !rustix::process::geteuid().is_root();
    let mut command = Command::new(if sudo { "sudo" } else { "sh" });
    command.args(if sudo {
        ["-n", "--", "sh", "-s"].as_slice()
    } else {
        &["-s"]
    });
    command.env_clear().envs(environment(&[]));
    let ended = bounded::run(command, script, bounds, cancel)
        .await
        .map_err(|broken| named(broken, bounds, sudo))?;
    match refusal(&ended) {
        Some(error) => Err(error),
        None => Ok(ended.answer),
    }
}

/// What a shell says that did not run the script at all.
pub(super) fn refusal(ended: &Ended) -> Option<ShellError> {
    let error = |kind, message: String| Some(ShellError { kind, message });
    let sudo = ended.said.lines().rfind(|line| line.contains("sudo:"));
    match (ended.code, sudo) {
        (Some(0), _) => None,
        (_, Some(line)) => error(ShellErrorKind::Sudo, line.trim().to_owned()),
        (Some(126 | 127), None) => error(ShellErrorKind::NoShell, ended.last().to_owned()),
        (_, None) => None,
    }
}

fn named(broken: Broken, bounds: Bounds, sudo: bool) -> ShellError {
    match broken {
        Broken::Unstartable(error) => {
            let program = if sudo { "sudo" } else { "sh" };
            ShellError {
                kind: ShellErrorKind::Here,
                message: format!("`{program}` can't be started: {error}"),
            }
        }
        other => bound(&other, bounds),
    }
}

/// What a bound that was reached is called.
pub(super) fn bound(broken: &Broken, bounds: Bounds) -> ShellError {
    let (kind, message) = match broken {
        Broken::TooLong => (
            ShellErrorKind::TooLong,
            format!("the script did not end within {} s", bounds.time.as_secs()),
        ),
        Broken::TooMuch => (
            ShellErrorKind::TooMuch,
            format!(
                "it answered more than {} MiB, which nothing asked for",
                bounds.bytes >> 20
            ),
        ),
        Broken::Cancelled => (ShellErrorKind::Cancelled, "cancelled".to_owned()),
        Broken::Unstartable(error) => (ShellErrorKind::Here, error.to_string()),
    };
    ShellError { kind, message }
}

/// What a script answers here, for tests that are not asynchronous.
#[cfg(test)]
pub fn answer(script: &str) -> Result<Vec<u8>, ShellError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    Ok(runtime
        .block_on(run(script, false, Bounds::UP, &CancellationToken::new()))?
        .out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn here(script: &str, bounds: Bounds) -> Result<Vec<u8>, ShellError> {
        Ok(run(script, false, bounds, &CancellationToken::new())
            .await?
            .out)
    }

    #[tokio::test]
    async fn a_script_is_run_whatever_else_it_says() {
        let out = here("echo out; echo err >&2; exit 3", Bounds::UP)
            .await
            .expect("it ran");
        assert_eq!(out, b"out\n");
    }

    #[tokio::test]
    async fn what_hangs_is_ended_with_all_that_it_started() {
        let bounds = Bounds {
            time: Duration::from_secs(1),
            ..Bounds::UP
        };
        let dir = tempfile::tempdir().expect("a folder");
        let fifo = dir.path().join("fifo");
        // The child waits for a writer that never comes; that it is gone shows in nobody reading the pipe any more.
        let script = format!("mkfifo '{0}'; cat '{0}'", fifo.display());
        let error = here(&script, bounds).await.expect_err("it hangs");
        assert_eq!(error.kind, ShellErrorKind::TooLong);
        assert!(error.message.contains("1 s"), "{error}");
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let readers = || rustix::fs::open(&fifo, flags, rustix::fs::Mode::empty());
        let end = std::time::Instant::now() + Duration::from_secs(300);
        while readers().is_ok() {
            assert!(
                std::time::Instant::now() < end,
                "the child outlives its parent"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn too_much_is_an_error_and_not_kept() {
        let bounds = Bounds {
            bytes: 1 << 20,
            ..Bounds::UP
        };
        let error = here(
            "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
            bounds,
        )
        .await;
        let error = error.expect_err("it never ends");
        assert_eq!(error.kind, ShellErrorKind::TooMuch);
        assert!(error.message.contains("1 MiB"), "{error}");
        let much = "head -c 100000000 /dev/zero >&2; echo done";
        assert_eq!(
            here(much, bounds)
                .await
                .expect("what is said on stderr is no answer"),
            b"done\n"
        );
    }

    #[tokio::test]
    async fn a_wish_to_stop_is_heard() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let script = "sleep 600";
        let (ran, ()) = tokio::join!(run(script, false, Bounds::UP, &cancel), async move {
            stop.cancel()
        });
        assert_eq!(ran.expect_err("stopped").kind, ShellErrorKind::Cancelled);
    }

    #[test]
    fn what_a_shell_says_that_did_not_run_is_told_apart() {
        let ended = |code, said: &str| Ended {
            code: Some(code),
            answer: Answer::default(),
            said: said.to_owned(),
        };
        let kind = |ended: Ended| refusal(&ended).map(|e| e.kind);
        assert_eq!(
            kind(ended(1, "banner\nsudo: a password is required\n")),
            Some(ShellErrorKind::Sudo)
        );
        assert_eq!(
            kind(ended(127, "sh: 1: exec: sudo: not found\n")),
            Some(ShellErrorKind::Sudo)
        );
        assert_eq!(
            kind(ended(127, "fish: Unknown command: sh\n")),
            Some(ShellErrorKind::NoShell)
        );
        assert_eq!(kind(ended(126, "")), Some(ShellErrorKind::NoShell));
        assert_eq!(
            kind(ended(2, "sh: syntax error")),
            None,
            "frames tell how far it came"
        );
        assert_eq!(kind(ended(0, "sudo: unable to resolve host x")), None);
    }
}
