//! Retires and restores AMIs, and removes leftovers.

pub(in crate::steps) mod clear_pointers;
pub(in crate::steps) mod permissions;
pub(in crate::steps) mod stages;
pub(in crate::steps) mod sweep;
