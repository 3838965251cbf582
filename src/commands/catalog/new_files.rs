//! Adds files to a catalog. Overwrites nothing, and leaves no invalid catalog behind.

use std::path::Path;

use crate::adapters::system;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;

/// Writes files, as paths relative to `dir` and contents, and validates the catalog. Removes the files
/// if one cannot be written or the catalog is invalid.
///
/// # Errors
/// One of the files exists or cannot be written, or the catalog is invalid.
pub(super) fn create_files(dir: &Path, files: &[(String, String)]) -> Result<()> {
    refuse_existing(dir, files)?;
    let checked = write_files(dir, files)
        .and_then(|()| context::load_catalog(&Path::new(".").join(dir)).map(|_| ()));
    if let Err(error) = checked {
        for (path, _) in files {
            system::remove_file(&dir.join(path));
        }
        return Err(error.hint("the files that were written are removed"));
    }
    for (path, _) in files {
        ui::say(&format!("wrote {}", dir.join(path).display()));
    }
    Ok(())
}

fn refuse_existing(dir: &Path, files: &[(String, String)]) -> Result<()> {
    let paths = files.iter().map(|(path, _)| dir.join(path));
    let existing: Vec<String> = paths
        .filter(|path| system::exists(path))
        .map(|path| path.display().to_string())
        .collect();
    match existing.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::input(format!("{one} already exists")).hint("nothing was written")),
        several => {
            let text = format!("these files already exist: {}", several.join(", "));
            Err(Error::input(text).hint("nothing was written"))
        }
    }
}

fn write_files(dir: &Path, files: &[(String, String)]) -> Result<()> {
    for (path, text) in files {
        system::write_atomically(&dir.join(path), text.as_bytes(), 0o644)
            .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot write a file").because(e))?;
    }
    Ok(())
}
