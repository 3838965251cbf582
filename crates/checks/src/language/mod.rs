//! Parses controls: their expectations, inputs and conditions.

pub(crate) mod control;
pub(crate) mod digest;
pub(crate) mod expression;
pub(crate) mod grammar;
pub(crate) mod ids;
pub(crate) mod input;
pub(crate) mod interpolate;
pub(crate) mod parse;
mod parse_expectation;
pub(crate) mod reference;
pub(crate) mod schema;
pub(crate) mod waiver;
