//! Judges controls by the facts of a target.

pub(crate) mod conditions;
pub(crate) mod contents;
pub(crate) mod finding;
pub(crate) mod gate;
pub(crate) mod input_values;
pub(crate) mod judge;
pub(crate) mod observe;
pub(crate) mod system;
pub(crate) mod verdict;
