//! Collects facts, judges controls and writes reports.

pub mod collect;
pub(in crate::steps) mod collect_facts;
mod control_hints;
pub mod controls;
pub(in crate::steps) mod pending_updates;
pub(in crate::steps) mod recheck;
pub mod reports;
pub mod retry;
