//! Resources for systemd units.

pub(crate) mod failed_units;
pub(crate) mod service;
pub(crate) mod unit;
pub(crate) mod units;
