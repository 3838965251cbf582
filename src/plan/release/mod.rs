//! Plans a release: build, recheck, keep or block each image, with reasons and steps.

mod adopt;
mod basis;
mod decide;
mod deprecation;
mod index;
mod planner;
mod reasons;
pub(crate) mod recheck;
mod released;
mod scratch;
mod steps;
#[cfg(test)]
mod tests;
mod why;

pub use basis::{MissingBaseError, base_reason};
pub use decide::{PLAN_SCHEMA, plan_release, plan_release_as_of};
pub use planner::ReleaseRequest;
pub use released::ReleasedVersions;
pub use scratch::plan_scratch_build;
pub use steps::EXPIRES;
pub use why::{Explanation, InputComparison, explain_image};
