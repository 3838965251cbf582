//! Implements the cloud port on a [`FakeCloudState`](super::FakeCloudState). Every call is recorded
//! and can fail.

mod reader;
mod writer;

use crate::ports::CloudErrorKind;

/// Returns the error for a resource that does not exist.
pub(in crate::adapters::fake) fn not_found<T>(what: &str) -> Result<T, (CloudErrorKind, String)> {
    Err((CloudErrorKind::NotFound, format!("{what} does not exist")))
}
