//! Implements clock, environment, run directory, journal file and signals of this machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio_util::sync::CancellationToken;

use super::state_directory::{create_directory, run_directory};
use crate::model::{RunId, Timestamp};
use crate::ports::{Clock, Journal, Workspace};

/// Clock of the system.
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

/// Returns whether the environment has AWS keys, which all SDKs prefer to profiles.
#[must_use]
pub fn has_aws_keys() -> bool {
    variable("AWS_ACCESS_KEY_ID").is_some() && variable("AWS_SECRET_ACCESS_KEY").is_some()
}

/// Returns an environment variable that is set and not empty.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Returns the path of a program in `PATH`.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Returns the path of the running program, for its child processes. On Linux the path keeps
/// working after an update replaced the file.
///
/// # Errors
/// Fails if the system does not provide the path.
pub fn current_program() -> io::Result<PathBuf> {
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

/// Returns the host name for messages.
#[must_use]
pub fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.or_else(|| variable("HOSTNAME"))
        .unwrap_or_else(|| "an unnamed host".to_owned())
}

/// Returns the working directory.
///
/// # Errors
/// Fails if the directory was deleted or cannot be read.
pub fn working_directory() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// Returns an existing path without links, `.` and `..`.
#[must_use]
pub fn absolute_path(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(Path::new(".").join(path)).ok()
}

/// Generates a run ID: the start time in UTC and four characters that distinguish runs of the same
/// second.
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

/// Sends SIGTERM to a process.
pub(super) fn terminate_process(pid: Option<u32>) {
    if let Some(pid) = pid.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ignored = kill_process(pid, Signal::TERM);
    }
}

/// Sends SIGKILL to the process group that this process leads.
pub(super) fn kill_group(leader: Option<u32>) {
    if let Some(leader) = leader.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ignored = kill_process_group(leader, Signal::KILL);
    }
}

/// Returns a token that ^C or SIGTERM cancels. A second signal is ignored, because the undo has
/// started already.
#[must_use]
pub fn cancel_on_signal() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let cancelled = token.clone();
    if let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        tokio::spawn(async move {
            tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
            cancelled.cancel();
            loop {
                tokio::select! { _ = int.recv() => {} _ = term.recv() => {} }
            }
        });
    }
    token
}

/// Run directory `.bakeline/runs/<id>/`.
#[derive(Debug)]
pub struct RunDirectory {
    root: PathBuf,
}

impl RunDirectory {
    /// Creates the directory of a run of the catalog in `catalog_dir`.
    ///
    /// # Errors
    /// Fails with the path if the directory cannot be created.
    pub fn create(catalog_dir: &Path, run: &RunId) -> io::Result<Self> {
        let root = run_directory(catalog_dir, run);
        create_directory(&root).map_err(|e| path_error(&root, &e))?;
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
        remove_file(&self.root.join(path));
    }
}

/// Writes a temporary file and renames it, so that readers see the old or the new content.
///
/// # Errors
/// Fails with the path if the file cannot be written.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| path_error(parent, &e))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|e| {
        remove_file(&temporary);
        path_error(path, &e)
    })
}

/// Creates a file. Removes it if it cannot be written completely.
///
/// # Errors
/// Returns an error that names the path if the file exists, also as a broken link, or cannot be written.
pub fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path).map_err(|e| path_error(path, &e))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(|e| {
            remove_file(path);
            path_error(path, &e)
        })
}

/// Creates a directory and its parents. Returns the directories that did not exist, outermost first.
///
/// # Errors
/// Fails with the path if a directory cannot be created. The others are removed again.
pub fn create_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
        .collect();
    let mut created: Vec<PathBuf> = Vec::new();
    for dir in missing.into_iter().rev() {
        if let Err(e) = std::fs::create_dir(dir) {
            if dir.is_dir() {
                continue; // `new/..`, after `new` was created.
            }
            let created = created.iter().rev();
            created.for_each(|dir| remove_empty_directory(dir));
            return Err(path_error(dir, &e));
        }
        created.push(dir.to_owned());
    }
    Ok(created)
}

/// Removes a directory without files, if possible.
pub fn remove_empty_directory(path: &Path) {
    let _ignored = std::fs::remove_dir(path);
}

fn path_error(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Journal file. Each line is on disk before the step continues.
#[derive(Debug)]
pub struct JournalFile {
    file: Mutex<File>,
}

impl JournalFile {
    /// Name of the file in a run directory.
    pub const NAME: &str = "journal.jsonl";

    /// Opens the journal in a run directory for appending.
    ///
    /// # Errors
    /// Fails with the path if the file cannot be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        let path = root.join(Self::NAME);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| path_error(&path, &e))?;
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
            // A partial line would corrupt the next one.
            let _ignored = file.set_len(length);
        }
        written
    }
}

/// Returns whether a path exists, also as a broken link.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Removes a file, if possible.
pub fn remove_file(path: &Path) {
    let _ignored = std::fs::remove_file(path);
}

/// Reads a file.
///
/// # Errors
/// Fails with the path if the file cannot be read.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| path_error(path, &e))
}

/// Returns the paths in a directory. A directory that cannot be read counts as empty.
#[must_use]
pub fn list_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

/// Opens a file for buffered reading.
///
/// # Errors
/// Fails with the path if the file cannot be opened.
pub fn open_reader(path: &Path) -> io::Result<impl io::Read> {
    File::open(path)
        .map(|f| io::BufReader::with_capacity(1 << 20, f))
        .map_err(|e| path_error(path, &e))
}

/// Returns the path of a directory with all symbolic links resolved.
///
/// # Errors
/// Fails if it does not exist, is not a directory, or its path is not UTF-8.
pub fn resolve_directory(path: &Path) -> io::Result<String> {
    let real = std::fs::canonicalize(path).map_err(|e| path_error(path, &e))?;
    if !real.is_dir() {
        return Err(path_error(path, &io::Error::other("not a directory")));
    }
    real.to_str()
        .map(str::to_owned)
        .ok_or_else(|| path_error(path, &io::Error::other("the path is not valid UTF-8")))
}
