//! Defines the resources, grouped by family.
//!
//! To add a resource, create its file in a family and add its `RESOURCE_TYPE` to
//! [`crate::registry::RESOURCE_TYPES`].

pub(crate) mod accounts;
pub(crate) mod config;
pub(crate) mod filesystem;
pub(crate) mod hygiene;
pub(crate) mod kernel;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod packaging;
pub(crate) mod process;
pub(crate) mod ssh;
pub(crate) mod systemd;
