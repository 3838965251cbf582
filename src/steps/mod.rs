//! Implements the effects of all steps: probe, perform and undo.

mod access;
mod ami;
pub mod build;
pub mod check;
mod context;
mod created;
mod creations;
mod errors;
mod poll;
pub mod preflight;
mod publish;
pub mod references;
mod registry;
mod retire;
mod store;
#[cfg(test)]
mod tests;
mod unreachable;

pub use context::Steps;
pub use creations::Creations;
pub use errors::first_call_error;
pub use publish::launch_grants::LaunchGrants;
pub use publish::location_copies::LocationCopies;
pub use publish::shareable::check_shareable;
pub use publish::shares::Shares;
