//! Commands that retire AMIs and remove temporary resources.

pub(super) mod prune;
pub(super) mod restore;
pub(super) mod retire;
mod run_facts;
pub(super) mod stages;
pub(super) mod sweep;
