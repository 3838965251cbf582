//! Owns the supervisor: a small process of ours between bakeline and Packer that ends Packer in order when bakeline dies.
//!
//! Packer answers SIGTERM to its parent process by cancelling and cleaning up; SIGKILL or a closed terminal leaves a live,
//! headless build with its instance. The supervisor's standard input is a pipe that only bakeline holds: when it closes,
//! bakeline is gone. Packer's output goes through the supervisor too: a Packer that writes into the closed pipe of a dead
//! bakeline would be ended by SIGPIPE in the middle of its clean-up.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::task::JoinSet;

/// Packer waits for its instance to be terminated, which may take minutes.
const GRACE: Duration = Duration::from_secs(900);
/// How long output may still come once the command has ended: a child of its own may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs the command and returns its exit code; ends it in order on SIGTERM, SIGINT, SIGHUP or a closed standard input.
///
/// # Errors
/// The command can't be started.
pub async fn run(command: &[OsString]) -> std::io::Result<u8> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(2);
    };
    let signals = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ]
    .map(signal);
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut relays = JoinSet::new();
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        relays.spawn(relay(out, tokio::io::stdout()));
        relays.spawn(relay(err, tokio::io::stderr()));
    }
    let status = watch(&mut child, signals).await;
    let _all_said = tokio::time::timeout(LAST_WORDS, relays.join_all()).await;
    status
}

/// Waits for the child's end, or brings it about when we are asked to end or bakeline is gone.
async fn watch(child: &mut Child, signals: [std::io::Result<Listener>; 3]) -> std::io::Result<u8> {
    let [term, int, hup] = signals;
    let (mut term, mut int, mut hup) = (term?, int?, hup?);
    let mut pipe = tokio::io::stdin();
    let mut byte = [0u8; 1];
    tokio::select! {
        status = child.wait() => return status.map(code),
        _ = pipe.read(&mut byte) => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = hup.recv() => {}
    }
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        let _sent = kill_process(pid, Signal::TERM);
    }
    match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => status.map(code),
        Err(_) => {
            // We lead our own process group: this ends Packer and its plugins, and us with them.
            let _sent = kill_process_group(rustix::process::getpgrp(), Signal::KILL);
            child.wait().await.map(code)
        }
    }
}

/// Hands on what is said; with nobody left to hear it, goes on reading so that the speaker is not held up.
async fn relay(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let (mut buffer, mut heard) = (vec![0u8; 16 * 1024], true);
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        heard = heard && to.write_all(&buffer[..count]).await.is_ok() && to.flush().await.is_ok();
    }
}

fn code(status: std::process::ExitStatus) -> u8 {
    status
        .code()
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(137)
}
