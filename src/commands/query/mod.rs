//! Commands that look up and compare versions.

pub(super) mod diff;
pub(super) mod explain;
pub(super) mod latest;
pub(super) mod list;
