//! Commands that show runs, and that continue or undo a run that was killed.

mod list;
mod recover;

pub(super) use list::run as list;
pub(super) use recover::{abort, resume};
