//! Owns the machine we run on: clock, environment, own program, run directory, journal file, signals.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::model::{RunId, Timestamp};
use crate::ports::{Clock, Journal, Workspace};

/// The system's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// An environment variable that is set and not empty.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// bakeline's own program, for the processes that a run starts. On Linux the path holds the very program that runs, also
/// after an update has put another one in its location.
///
/// # Errors
/// What the system said.
pub fn program() -> io::Result<PathBuf> {
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

/// This machine's name, for people.
#[must_use]
pub fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.or_else(|| variable("HOSTNAME"))
        .unwrap_or_else(|| "an unnamed host".to_owned())
}

/// The working directory.
///
/// # Errors
/// What the system said.
pub fn working_directory() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// A new run's id: its UTC start to the second and four characters that tell apart two that start together.
#[must_use]
pub fn new_run_id(now: Timestamp) -> RunId {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.subsec_nanos());
    let mixed = (u64::from(nanos) ^ (u64::from(std::process::id()) << 20))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    RunId(format!(
        "{}-{:04x}",
        now.strftime("%Y%m%dt%H%M%Sz"),
        (mixed >> 48) & 0xffff
    ))
}

/// Asks a process to end.
pub(super) fn terminate(pid: Option<u32>) {
    if let Some(pid) = pid.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        let _sent = kill_process(pid, Signal::TERM);
    }
}

/// A token that ^C or SIGTERM cancels; a second ^C changes nothing, because the way back is already under way.
#[must_use]
pub fn interrupt() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let ours = token.clone();
    if let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        tokio::spawn(async move {
            tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
            ours.cancel();
            loop {
                tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
            }
        });
    }
    token
}

/// `.bakeline/runs/<id>/`.
#[derive(Debug)]
pub struct RunDirectory {
    root: PathBuf,
}

impl RunDirectory {
    /// Makes the directory of a run below `base`.
    ///
    /// # Errors
    /// The path and what the system said.
    pub fn create(base: &Path, run: &RunId) -> io::Result<Self> {
        let root = base.join(".bakeline").join("runs").join(run.as_str());
        std::fs::create_dir_all(&root).map_err(|e| named(&root, &e))?;
        Ok(Self { root })
    }
}

impl Workspace for RunDirectory {
    fn root(&self) -> &Path {
        &self.root
    }

    fn write(&self, path: &str, content: &[u8], private: bool) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        write_atomically(&path, content, if private { 0o600 } else { 0o644 })?;
        Ok(path)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root.join(path)).ok()
    }

    fn remove(&self, path: &str) {
        let _gone = std::fs::remove_file(self.root.join(path));
    }
}

/// Writes beside the file and renames: a reader sees the old content or the new.
///
/// # Errors
/// The path and what the system said.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| named(parent, &e))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&part)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&part, path));
    written.map_err(|e| named(path, &e))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The journal's file; each line is on disk before the step goes on.
#[derive(Debug)]
pub struct JournalFile {
    file: Mutex<File>,
}

impl JournalFile {
    /// Opens `journal.jsonl` in a run directory for appending.
    ///
    /// # Errors
    /// The path and what the system said.
    pub fn open(root: &Path) -> io::Result<Self> {
        let path = root.join("journal.jsonl");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| named(&path, &e))?;
        Ok(Self {
            file: Mutex::new(file),
        })
    }
}

impl Journal for JournalFile {
    fn append(&self, line: &str) -> io::Result<()> {
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let length = file.metadata()?.len();
        let written = file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line would spoil the next one.
            let _shorter = file.set_len(length);
        }
        written
    }
}

/// Reads a file.
///
/// # Errors
/// The path and what the system said.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| named(path, &e))
}

/// Opens a file for reading it piece by piece.
///
/// # Errors
/// The path and what the system said.
pub fn reader(path: &Path) -> io::Result<impl io::Read> {
    File::open(path)
        .map(|f| io::BufReader::with_capacity(1 << 20, f))
        .map_err(|e| named(path, &e))
}

/// A folder with all links resolved, as text.
///
/// # Errors
/// It does not exist, is no folder, or its name is not UTF-8.
pub fn folder(path: &Path) -> io::Result<String> {
    let real = std::fs::canonicalize(path).map_err(|e| named(path, &e))?;
    if !real.is_dir() {
        return Err(named(path, &io::Error::other("it is not a folder")));
    }
    real.to_str()
        .map(str::to_owned)
        .ok_or_else(|| named(path, &io::Error::other("its name is not UTF-8")))
}
