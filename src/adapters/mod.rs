//! Owns everything outside: the only modules that may start processes, read the clock, the environment or files, or name
//! an SDK.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place they are kept to"
)]

pub mod ansible;
pub mod assets;
#[cfg(feature = "live")]
pub mod aws;
mod bounded;
pub mod catalog_files;
#[cfg(test)]
pub mod fake;
#[cfg(feature = "live")]
pub mod git;
#[cfg(feature = "live")]
pub mod http;
pub mod local;
#[cfg(not(feature = "live"))]
pub mod offline;
mod once;
pub mod packer;
mod process;
pub mod processes;
pub mod sandbox;
pub mod ssh;
pub mod store;
pub mod supervise;
pub mod system;
