//! Commands that build images and explain builds.

pub(super) mod changelog;
mod clock;
pub(super) mod plan;
mod plan_note;
pub(super) mod play;
pub(super) mod preflight;
pub(super) mod probe;
pub(super) mod release;
pub(super) mod since;
pub(super) mod why;
