//! Defines the error of builds without the feature `live`.

use crate::error::{Error, ErrorKind};

/// Returns the error for everything that needs the network.
#[must_use]
pub fn offline_error() -> Error {
    Error::new(
        ErrorKind::Usage,
        "this bakeline was built without the feature `live` and cannot access AWS",
    )
    .hint("build it with default features, or pass recorded facts, as in `bakeline plan --inventory FILE`")
}
