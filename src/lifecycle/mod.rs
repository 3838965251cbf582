//! Decides what happens to finished AMIs: lookup, promotion, rollback, revocation, retention and
//! repair.

pub mod candidate;
pub mod current;
pub mod doctor;
pub mod grants;
pub mod level;
pub mod locations;
pub mod lock;
pub mod lookup;
pub mod promote;
pub mod record;
pub mod retention;
pub mod retirement;
pub mod revoke;
pub mod rollback;
pub mod rules;
pub mod sharing;
pub mod sweep;
pub mod tags;
#[cfg(test)]
mod tests;
pub mod vendor_ami;

pub use record::Record;
