//! Copies AMIs to other locations and moves tags and pointers.

pub(in crate::steps) mod copy;
mod copy_reads;
pub(in crate::steps) mod launch_grants;
pub(in crate::steps) mod launch_permissions;
pub(in crate::steps) mod location_copies;
pub(in crate::steps) mod move_current;
pub(in crate::steps) mod pointer;
pub(in crate::steps) mod publish_shared;
pub(in crate::steps) mod read_back;
pub(in crate::steps) mod set_tags;
pub(in crate::steps) mod share;
pub(crate) mod shareable;
pub(in crate::steps) mod shares;
pub(in crate::steps) mod trial_launch;
pub(in crate::steps) mod withdraw;
