//! Builds an AMI and tags it as a candidate.

pub(in crate::steps) mod adopt;
pub(in crate::steps) mod candidate;
pub(in crate::steps) mod discard;
mod failure;
mod login_failure;
pub(in crate::steps) mod packer;
mod script_failure;
mod watch;

pub use packer::FAILED;
