//! Splits paths of the repository.

/// Returns the directory of a file. Empty for the root of the repository.
#[must_use]
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
