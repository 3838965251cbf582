//! Owns directories of the cache that several processes need: one creates each, the others wait for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::system;
use crate::error::{Error, Kind, Result};

/// The file that a directory has when it is complete.
const COMPLETE: &str = "complete";

/// Creates the directory `target` unless it is complete already. `create` fills a sibling under a lock, and a rename puts it
/// into location. So no process sees a partial directory, or deletes one in use. `what` names the directory in messages.
///
/// # Errors
/// The cache can't be written or locked, or `create` failed.
pub(super) fn create(
    target: &Path,
    what: &str,
    say: &dyn Fn(&str),
    create: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if target.join(COMPLETE).exists() {
        return Ok(());
    }
    let broken = |e: io::Error| {
        Error::new(
            Kind::StepFailed,
            format!("{} can't be created", target.display()),
        )
        .because(e)
    };
    let _lock = lock(target, what, say).map_err(broken)?;
    if target.join(COMPLETE).exists() {
        return Ok(());
    }
    // While this process holds the lock, the creator of every part has ended.
    for left in parts(target).map_err(broken)? {
        std::fs::remove_dir_all(&left).map_err(broken)?;
    }
    let part = sibling(target, &format!("{}.part", std::process::id()));
    let created = std::fs::create_dir_all(&part)
        .map_err(broken)
        .and_then(|()| create(&part));
    let placed = created.and_then(|()| location(&part, target).map_err(broken));
    if placed.is_err() {
        let _gone = std::fs::remove_dir_all(&part);
    }
    placed
}

/// Takes the lock of a directory; says when another process holds it. Closing the file releases the lock.
fn lock(target: &Path, what: &str, say: &dyn Fn(&str)) -> io::Result<File> {
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
            say(&format!("waiting for another process that creates {what}"));
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Marks a directory as complete and puts it in location of an incomplete one of the same name.
fn location(part: &Path, target: &Path) -> io::Result<()> {
    system::write_atomically(&part.join(COMPLETE), b"", 0o644)?;
    if target.exists() {
        std::fs::remove_dir_all(target)?;
    }
    std::fs::rename(part, target)
}

/// The hidden file or directory beside a directory: `.NAME.MORE`.
fn sibling(target: &Path, more: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{more}"))
}

/// Parts of a directory that were never put into location.
fn parts(target: &Path) -> io::Result<Vec<PathBuf>> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let (begin, parent) = (
        format!(".{name}."),
        target.parent().unwrap_or(Path::new(".")),
    );
    let mut out = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&begin) && name.ends_with(".part") {
            out.push(parent.join(name));
        }
    }
    Ok(out)
}
