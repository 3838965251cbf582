//! Parses controls: their expectations, inputs and conditions.

pub(crate) mod control;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod expression;
pub(crate) mod grammar;
pub(crate) mod ids;
pub(crate) mod input;
pub(crate) mod interpolate;
pub(crate) mod parse;
pub(crate) mod placeholder;
pub(crate) mod reference;
pub(crate) mod schema;
mod token;
pub(crate) mod waiver;
