//! Defines the `file` provisioner: a file with owner and mode.

/// A file to copy into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path relative to the repository. The catalog has the content.
    pub source: String,
    /// Absolute path in the image.
    pub destination: String,
    /// True if the content is a template.
    pub template: bool,
    /// Owner: `user` or `user:group`. Default: `root:root`.
    pub owner: String,
    /// Octal mode. Default: `0644`.
    pub mode: String,
}

/// Returns user and group of an owner. The default group is `root`.
#[must_use]
pub fn user_and_group(owner: &str) -> (&str, &str) {
    owner.split_once(':').unwrap_or((owner, "root"))
}
