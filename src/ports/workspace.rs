//! Defines the ports to the run directory and the journal of a run.

use std::path::{Path, PathBuf};

/// Run directory: logs, reports and temporary files of a run.
pub trait Workspace: Send + Sync {
    /// Returns the path of the directory.
    fn root(&self) -> &Path;
    /// Writes a file and creates its parent directories. `private` means mode 0600.
    ///
    /// # Errors
    /// Fails with the path if the file cannot be written.
    fn write(&self, path: &str, content: &[u8], private: bool) -> std::io::Result<PathBuf>;
    /// Reads a file, if it exists.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// Deletes a file, if it exists.
    fn remove(&self, path: &str);
}

/// Append-only journal of a run.
pub trait Journal: Send + Sync {
    /// Appends a line and flushes it to disk.
    ///
    /// # Errors
    /// Fails if the line was not written. The step must not continue then.
    fn append(&self, line: &str) -> std::io::Result<()>;
}
