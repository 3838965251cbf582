//! Owns the `file` provisioner: a file of the catalog put into the image with owner and mode.

/// A file to put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its repository-relative path; its content is in the catalog's files.
    pub source: String,
    /// The absolute path in the image.
    pub destination: String,
    /// `user` or `user:group`, `root:root` by default.
    pub owner: String,
    /// Octal mode, `0644` by default.
    pub mode: String,
}
