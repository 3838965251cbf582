//! Owns what a build without the feature `live` says instead of talking to anyone.

use crate::error::{Error, Kind};

/// The one error of everything that needs the outside.
#[must_use]
pub fn unavailable() -> Error {
    Error::new(
        Kind::Usage,
        "this bakeline was built without the feature `live`: it can't reach any cloud",
    )
    .hint("build it with default features, or give the facts with --inventory FILE")
}
