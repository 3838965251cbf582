//! Owns decisions about finished AMIs: which are ours, what is current, what promotion and retention mean.

pub mod current;
pub mod doctor;
pub mod ladder;
pub mod locations;
pub mod lock;
pub mod lookup;
pub mod promote;
pub mod record;
pub mod retain;
pub mod revoke;
pub mod rollback;
pub mod rules;
pub mod rung;
pub mod sharing;
pub mod sweep;
pub mod tags;
#[cfg(test)]
mod tests;

pub use record::Record;
