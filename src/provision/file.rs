//! Defines the `file` provisioner: a file with owner and mode.

/// A file to copy into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to the repository. The catalog has the content.
    pub source: String,
    /// Absolute path in the image.
    pub destination: String,
    /// Owner: `user` or `user:group`. Default: `root:root`.
    pub owner: String,
    /// Octal mode. Default: `0644`.
    pub mode: String,
}
