//! Checks the prerequisites of a run and collects all findings. No check changes anything.

mod accounts;
mod check;
mod creations;
mod home;
mod keys;
mod launches;
mod network;

pub use accounts::{AccountSession, check_accounts};
pub use check::{Check, Group, Status};
pub use home::HomeCheck;
pub use keys::{KeyUse, check_keys};
pub use launches::{BuildNeed, build_of, planned_builds};
