//! Defines the `script` provisioner: a shell script that runs as root.

/// A script to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Path relative to the repository. The catalog has the text.
    pub path: String,
}
