//! Creates directories of the user's cache that several processes share: one process creates a
//! directory, the others wait for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::system;
use crate::error::{Error, ErrorKind, Result};

/// Name of the file in a complete directory.
const COMPLETE: &str = "complete";

/// Creates the directory `target` unless it is complete already. `fill` writes its content to a
/// sibling under a lock, which is then renamed to `target`. So no process sees a partial directory
/// or deletes a directory in use. `description` names the directory in messages.
///
/// # Errors
/// Fails if the cache cannot be written or locked, or if `fill` fails.
pub(super) fn create_once(
    target: &Path,
    description: &str,
    say: &dyn Fn(&str),
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if target.join(COMPLETE).exists() {
        return Ok(());
    }
    let failed = |e: io::Error| {
        Error::new(
            ErrorKind::StepFailed,
            format!("cannot create {}", target.display()),
        )
        .because(e)
    };
    let _lock = lock_directory(target, description, say).map_err(failed)?;
    if target.join(COMPLETE).exists() {
        return Ok(());
    }
    // While this process holds the lock, the creator of every partial directory has ended.
    for partial in partial_directories(target).map_err(failed)? {
        std::fs::remove_dir_all(&partial).map_err(failed)?;
    }
    let partial = sibling(target, &format!("{}.part", std::process::id()));
    let filled = std::fs::create_dir_all(&partial)
        .map_err(failed)
        .and_then(|()| fill(&partial));
    let moved = filled.and_then(|()| move_complete(&partial, target).map_err(failed));
    if moved.is_err() {
        let _ignored = std::fs::remove_dir_all(&partial);
    }
    moved
}

/// Takes the lock of a directory and reports if another process holds it. Closing the file
/// releases the lock.
fn lock_directory(target: &Path, description: &str, say: &dyn Fn(&str)) -> io::Result<File> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(sibling(target, "lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(&format!(
                "waiting for another process that creates {description}"
            ));
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Marks a directory as complete and moves it to `target`, which replaces an incomplete directory.
fn move_complete(partial: &Path, target: &Path) -> io::Result<()> {
    system::write_atomically(&partial.join(COMPLETE), b"", 0o644)?;
    if target.exists() {
        std::fs::remove_dir_all(target)?;
    }
    std::fs::rename(partial, target)
}

/// Returns the hidden path next to a directory: `.NAME.SUFFIX`.
fn sibling(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{suffix}"))
}

/// Lists the partial directories that were never moved to `target`.
fn partial_directories(target: &Path) -> io::Result<Vec<PathBuf>> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let (prefix, parent) = (
        format!(".{name}."),
        target.parent().unwrap_or(Path::new(".")),
    );
    let mut out = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(".part") {
            out.push(parent.join(name));
        }
    }
    Ok(out)
}
