//! Owns running one child process on a script within bounds of time and output: whatever it does, it ends.

use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::ports::{Answer, Bounds};

/// The end of what a child says on standard error that is kept.
const SAID: usize = 8 << 10;

/// How a child ended.
pub(super) struct Ended {
    /// Its exit code; none when it was killed by a signal.
    pub(super) code: Option<i32>,
    /// Its standard output, and how long it took.
    pub(super) answer: Answer,
    /// The end of its standard error.
    pub(super) said: String,
}

impl Ended {
    /// Its last words.
    pub(super) fn last(&self) -> &str {
        last(&self.said).unwrap_or("no word")
    }
}

fn last(said: &str) -> Option<&str> {
    said.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Why a child was not let come to its end.
pub(super) enum Broken {
    /// It can't be started.
    Unstartable(std::io::Error),
    /// Its time was up.
    TooLong,
    /// It wrote too much.
    TooMuch,
    /// We were told to stop.
    Cancelled,
}

/// Ends a child and everything in its process group when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _sent = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs the command with `input` on its standard input.
pub(super) async fn run(
    mut command: Command,
    input: &str,
    bounds: Bounds,
    cancel: &CancellationToken,
) -> Result<Ended, Broken> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    let begun = Instant::now();
    let mut child = command.spawn().map_err(Broken::Unstartable)?;
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut group = Group(pid);
    let (mut stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.as_bytes().to_vec();
    let feed = async move {
        if let Some(pipe) = stdin.as_mut() {
            // A closed pipe means that it ended; how it did says why.
            let _fed = pipe.write_all(&input).await;
        }
        drop(stdin);
        Ok(())
    };
    let work = async {
        let ((), out, said) = tokio::try_join!(feed, all(out, bounds.bytes), end(err))?;
        let status = child.wait().await.map_err(Broken::Unstartable)?;
        let last = last(&said).unwrap_or_default().to_owned();
        Ok(Ended {
            code: status.code(),
            answer: Answer {
                out,
                last,
                took: begun.elapsed(),
            },
            said,
        })
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(bounds.time, work) => ended.unwrap_or(Err(Broken::TooLong)),
        () = cancel.cancelled() => Err(Broken::Cancelled),
    };
    if ended.is_ok() {
        // It was waited for, so its id may be another's by now.
        group.0 = None;
    }
    ended
}

/// Everything, as long as it is not too much.
async fn all(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> Result<Vec<u8>, Broken> {
    let mut out = Vec::new();
    let Some(mut pipe) = pipe else { return Ok(out) };
    let mut part = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut part).await {
            Ok(0) | Err(_) => return Ok(out),
            Ok(read) if out.len() + read > most => return Err(Broken::TooMuch),
            Ok(read) => out.extend_from_slice(&part[..read]),
        }
    }
}

/// The end; the rest is read and forgotten.
async fn end(pipe: Option<impl AsyncRead + Unpin>) -> Result<String, Broken> {
    let mut out = Vec::new();
    let Some(mut pipe) = pipe else {
        return Ok(String::new());
    };
    let mut part = vec![0; 8 << 10];
    while let Ok(read) = pipe.read(&mut part).await {
        if read == 0 {
            break;
        }
        out.extend_from_slice(&part[..read]);
        let over = out.len().saturating_sub(SAID);
        out.drain(..over);
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
