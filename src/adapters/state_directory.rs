//! The directory `.bakeline` next to bakeline.yaml: the runs of this machine, and by default the store.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::model::RunId;

/// Name of the directory.
const NAME: &str = ".bakeline";

/// Returns the directory of a run of the catalog in `catalog_dir`.
#[must_use]
pub fn run_directory(catalog_dir: &Path, run: &RunId) -> PathBuf {
    catalog_dir.join(NAME).join("runs").join(run.as_str())
}

/// Creates a directory. If it is below `.bakeline`, Git ignores all of `.bakeline`, because runs and
/// evidence do not belong into commits.
///
/// # Errors
/// Fails if the directory cannot be created.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let state = directory.ancestors().find(|path| path.ends_with(NAME));
    if let Some(state) = state {
        let mut options = OpenOptions::new();
        let created = options
            .write(true)
            .create_new(true)
            .open(state.join(".gitignore"));
        // An existing file is kept. The directory also works without the file.
        let _ignored = created.and_then(|mut file| file.write_all(b"*\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_directory_ignores_itself_in_git() {
        let root = tempfile::tempdir().expect("a directory");
        let run = run_directory(root.path(), &RunId::from("20260101t000000z-ab12"));
        create_directory(&run).expect("created");
        let ignore = root.path().join(".bakeline/.gitignore");
        assert_eq!(std::fs::read_to_string(&ignore).expect("a file"), "*\n");
        std::fs::write(&ignore, "runs\n").expect("changed");
        create_directory(&run).expect("exists");
        assert_eq!(std::fs::read_to_string(&ignore).expect("kept"), "runs\n");
        create_directory(&root.path().join("store")).expect("created");
        assert!(!root.path().join(".gitignore").exists());
    }
}
