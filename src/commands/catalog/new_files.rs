//! Adds files to a catalog. Overwrites nothing, and leaves no invalid catalog behind.

use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::adapters::system;
use crate::catalog::SETTINGS_FILE;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;

/// Writes files, as paths relative to `dir` and contents, and validates the catalog. Removes them,
/// and the directories created for them, if one cannot be written, the catalog is invalid, or a
/// signal arrives.
///
/// # Errors
/// One of the files exists or cannot be written, the catalog is invalid, or a signal arrived.
pub(super) fn create_files(dir: &Path, files: &[(String, String)]) -> Result<()> {
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    refuse_existing(dir, &paths)?;
    let mut created = CreatedFiles::default();
    let cancel = system::cancel_on_signal();
    let checked = created
        .write_all(dir, files, &cancel)
        .and_then(|()| context::load_catalog(&Path::new(".").join(dir)).map(|_| ()))
        .and_then(|()| refuse_cancelled(&cancel));
    if let Err(error) = checked {
        created.remove();
        return Err(error.hint("the files that were written are removed"));
    }
    for (path, _) in files {
        ui::say(&format!("wrote {}", displayed_path(&dir.join(path))));
    }
    Ok(())
}

/// Files and directories that did not exist before.
#[derive(Default)]
struct CreatedFiles {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl CreatedFiles {
    fn write_all(
        &mut self,
        dir: &Path,
        files: &[(String, String)],
        cancel: &CancellationToken,
    ) -> Result<()> {
        for (path, text) in files {
            refuse_cancelled(cancel)?;
            self.write(&dir.join(path), text)
                .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot write a file").because(e))?;
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, text: &str) -> io::Result<()> {
        let parent = path.parent().unwrap_or(path);
        self.directories.extend(system::create_directories(parent)?);
        system::create_file(path, text.as_bytes())?;
        self.files.push(path.to_owned());
        Ok(())
    }

    fn remove(&self) {
        self.files.iter().for_each(|path| system::remove_file(path));
        let directories = self.directories.iter().rev();
        directories.for_each(|path| system::remove_empty_directory(path));
    }
}

fn refuse_cancelled(cancel: &CancellationToken) -> Result<()> {
    if cancel.is_cancelled() {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    Ok(())
}

/// Returns an error if one of the files exists.
pub(super) fn refuse_existing(dir: &Path, paths: &[&str]) -> Result<()> {
    let existing: Vec<String> = paths
        .iter()
        .map(|path| dir.join(path))
        .filter(|path| system::exists(path))
        .map(|path| path.display().to_string())
        .collect();
    let text = match existing.as_slice() {
        [] => return Ok(()),
        [one] => format!("{one} already exists"),
        several => format!("these files already exist: {}", several.join(", ")),
    };
    let error = Error::input(text);
    Err(match system::exists(&dir.join(SETTINGS_FILE)) && paths.contains(&SETTINGS_FILE) {
        true => error.hint(
            "nothing was written; `bakeline new image NAME --parent PARENT` adds an image to a catalog",
        ),
        false => error.hint("nothing was written"),
    })
}

/// Returns a path for a message, relative to the working directory if it is below it.
pub(super) fn displayed_path(path: &Path) -> String {
    let below = system::working_directory().ok();
    let below = below.and_then(|dir| path.strip_prefix(dir).ok().map(Path::to_owned));
    below.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_write_is_removed_with_its_directories() {
        let folder = tempfile::TempDir::new().expect("directory");
        let dir = folder.path().join("new/catalog");
        let files = [("images/web.yaml".to_owned(), String::new())];
        let cancel = CancellationToken::new();
        let mut created = CreatedFiles::default();
        created.write_all(&dir, &files, &cancel).expect("written");
        assert!(dir.join("images/web.yaml").is_file());
        cancel.cancel();
        let error = created.write_all(&dir, &files, &cancel);
        assert_eq!(error.map_err(|e| e.kind), Err(ErrorKind::Interrupted));
        created.remove();
        assert!(folder.path().is_dir() && !folder.path().join("new").exists());
    }
}
