//! Launches test instances and gives the run access to them.

pub(in crate::steps) mod boot;
pub(in crate::steps) mod credentials;
pub(in crate::steps) mod host_key;
pub(in crate::steps) mod keep_failed;
pub(in crate::steps) mod placement;
