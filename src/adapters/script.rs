//! Runs a child process with a script on its standard input, within limits of time and output.

use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::ports::{ScriptLimits, ScriptOutput};

/// Number of bytes at the end of standard error that are kept.
const STDERR_TAIL: usize = 8 << 10;

/// Result of a child process that ended within its limits.
pub(super) struct Finished {
    /// Exit code. `None` after a signal.
    pub(super) code: Option<i32>,
    /// Standard output and duration.
    pub(super) output: ScriptOutput,
    /// End of standard error.
    pub(super) stderr: String,
}

impl Finished {
    /// Returns the last line of standard error that is not empty, for messages.
    pub(super) fn last_stderr_line(&self) -> &str {
        last_line(&self.stderr).unwrap_or("no output")
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Failure of a child process that did not run to its end.
pub(super) enum ScriptFailure {
    /// The program could not be started or waited for.
    Spawn(std::io::Error),
    /// The child exceeded its time limit.
    Timeout,
    /// The child exceeded its output limit.
    OutputLimit,
    /// The run was cancelled.
    Cancelled,
}

/// Kills a child and its process group when dropped.
struct ProcessGroup(Option<Pid>);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ignored = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs the command with `input` on its standard input.
pub(super) async fn run_command(
    mut command: Command,
    input: &str,
    limits: ScriptLimits,
    cancel: &CancellationToken,
) -> Result<Finished, ScriptFailure> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    let started = Instant::now();
    let mut child = command.spawn().map_err(ScriptFailure::Spawn)?;
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut group = ProcessGroup(pid);
    let (mut stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.as_bytes().to_vec();
    let write_input = async move {
        if let Some(pipe) = stdin.as_mut() {
            // A closed pipe means that the child ended. Its exit code explains why.
            let _ignored = pipe.write_all(&input).await;
        }
        drop(stdin);
        Ok(())
    };
    let work = async {
        let ((), stdout, stderr) = tokio::try_join!(
            write_input,
            read_all(stdout, limits.max_bytes),
            read_tail(stderr)
        )?;
        let status = child.wait().await.map_err(ScriptFailure::Spawn)?;
        let last_stderr_line = last_line(&stderr).unwrap_or_default().to_owned();
        Ok(Finished {
            code: status.code(),
            output: ScriptOutput {
                stdout,
                last_stderr_line,
                elapsed: started.elapsed(),
            },
            stderr,
        })
    };
    let result = tokio::select! {
        result = tokio::time::timeout(limits.timeout, work) => {
            result.unwrap_or(Err(ScriptFailure::Timeout))
        }
        () = cancel.cancelled() => Err(ScriptFailure::Cancelled),
    };
    if result.is_ok() {
        // The child was waited for, so another process may have its ID by now.
        group.0 = None;
    }
    result
}

/// Reads a pipe to its end. Fails if there are more than `max_bytes`.
async fn read_all(
    pipe: Option<impl AsyncRead + Unpin>,
    max_bytes: usize,
) -> Result<Vec<u8>, ScriptFailure> {
    let mut out = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(out) };
    let mut chunk = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => return Ok(out),
            Ok(read) if out.len() + read > max_bytes => return Err(ScriptFailure::OutputLimit),
            Ok(read) => out.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Reads a pipe to its end and returns its last [`STDERR_TAIL`] bytes.
async fn read_tail(pipe: Option<impl AsyncRead + Unpin>) -> Result<String, ScriptFailure> {
    let mut out = Vec::new();
    let Some(mut pipe) = pipe else {
        return Ok(String::new());
    };
    let mut chunk = vec![0; 8 << 10];
    while let Ok(read) = pipe.read(&mut chunk).await {
        if read == 0 {
            break;
        }
        out.extend_from_slice(&chunk[..read]);
        let excess = out.len().saturating_sub(STDERR_TAIL);
        out.drain(..excess);
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
