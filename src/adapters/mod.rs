//! Implements the ports. Only these modules may start processes, use an SDK, or read the clock, the
//! environment or files.

#![expect(
    clippy::disallowed_methods,
    reason = "effects are allowed in adapters only"
)]

pub mod ansible;
pub mod assets;
#[cfg(feature = "live")]
pub mod aws;
#[cfg(feature = "live")]
mod ca_bundle;
mod cache_directory;
pub mod catalog_files;
mod credential_server;
#[cfg(test)]
pub mod fake;
#[cfg(feature = "live")]
pub mod git;
#[cfg(feature = "live")]
pub mod http;
pub mod local;
#[cfg(not(feature = "live"))]
pub mod offline;
pub mod packer;
mod process;
pub mod processes;
pub mod sandbox;
mod script;
pub mod ssh;
pub mod state_directory;
pub mod store;
pub mod supervise;
pub mod system;
