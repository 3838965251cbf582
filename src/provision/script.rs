//! Owns the `script` provisioner: a shell script of the catalog, run as root.

/// A script to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its repository-relative path; its text is in the catalog's files.
    pub path: String,
}
