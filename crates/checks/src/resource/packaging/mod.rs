//! Resources for packages and repositories.

pub(crate) mod package;
pub(crate) mod packages;
pub(crate) mod repositories;
pub(crate) mod updates;
