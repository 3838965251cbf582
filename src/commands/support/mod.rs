//! Shared parts of the commands: facts, locks, execution and adapters.

pub(super) mod access;
mod command_locks;
pub(super) mod context;
pub(super) mod gather;
pub(super) mod lock;
pub(super) mod pointers;
pub(super) mod prerequisites;
pub(super) mod references;
pub(super) mod run;
pub(super) mod run_files;
pub(super) mod session;
pub(super) mod store_inventory;
pub(super) mod stored_evidence;
pub(super) mod stored_runs;
pub(super) mod templates;
pub(super) mod timer;
pub(super) mod unreachable;
mod vendor_amis;
