//! Copies AMIs to other locations and moves tags and pointers.

pub(in crate::steps) mod copy;
pub(in crate::steps) mod location_copies;
pub(in crate::steps) mod move_current;
pub(in crate::steps) mod set_tags;
pub(in crate::steps) mod share;
pub(in crate::steps) mod shares;
pub(in crate::steps) mod withdraw;
