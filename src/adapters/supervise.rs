//! Supervises Packer from a process between bakeline and Packer, and stops Packer when bakeline ends.
//!
//! Packer cancels and cleans up on SIGTERM. After SIGKILL of bakeline or a closed terminal, the build
//! and its instance would keep running. The standard input of the supervisor is a pipe from bakeline.
//! When it closes, bakeline has ended. The supervisor also relays the output of Packer: if Packer
//! wrote to the closed pipe of bakeline, SIGPIPE would end it during its clean-up. At the end, the
//! supervisor also stops processes that Packer left.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::task::JoinSet;

/// Time for the clean-up of Packer, which waits for the termination of its instance.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(900);
/// Time to relay output after the end of the command. A grandchild may keep the pipe open.
const RELAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command and returns its exit code. Stops it on SIGTERM, SIGINT, SIGHUP or when
/// standard input closes.
///
/// # Errors
/// Fails if the command cannot be started.
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
    let status = wait_or_stop(&mut child, signals).await;
    end_group();
    let _ignored = tokio::time::timeout(RELAY_TIMEOUT, relays.join_all()).await;
    status
}

/// Ends what the command left running. Packer does not end the programs of its shell-local
/// provisioners, and Ansible not its workers and their commands. The supervisor is in the same process
/// group, and handles the signal.
fn end_group() {
    let group = getpgrp();
    if group == getpid() {
        let _ignored = kill_process_group(group, Signal::TERM);
    }
}

/// Waits for the end of the child. Stops it after a signal or the end of bakeline.
async fn wait_or_stop(
    child: &mut Child,
    signals: [std::io::Result<SignalStream>; 3],
) -> std::io::Result<u8> {
    let [term, int, hup] = signals;
    let (mut term, mut int, mut hup) = (term?, int?, hup?);
    let mut pipe = tokio::io::stdin();
    let mut byte = [0u8; 1];
    tokio::select! {
        status = child.wait() => return status.map(exit_code),
        _ = pipe.read(&mut byte) => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = hup.recv() => {}
    }
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        let _ignored = kill_process(pid, Signal::TERM);
    }
    match tokio::time::timeout(CLEANUP_TIMEOUT, child.wait()).await {
        Ok(status) => status.map(exit_code),
        Err(_) => {
            // The supervisor leads its process group. This kills Packer, its plugins and itself.
            let _ignored = kill_process_group(getpgrp(), Signal::KILL);
            child.wait().await.map(exit_code)
        }
    }
}

/// Copies output. When the receiver is closed, keeps reading so that the writer is not blocked.
async fn relay(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let (mut buffer, mut is_open) = (vec![0u8; 16 * 1024], true);
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        is_open =
            is_open && to.write_all(&buffer[..count]).await.is_ok() && to.flush().await.is_ok();
    }
}

fn exit_code(status: std::process::ExitStatus) -> u8 {
    status
        .code()
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(137)
}
