//! Parses controls: their expectations, inputs and conditions.

pub(crate) mod control;
pub(crate) mod digest;
pub(crate) mod draft;
pub(crate) mod draft_expect;
pub(crate) mod expression;
pub(crate) mod grammar;
pub(crate) mod input;
pub(crate) mod open;
pub(crate) mod reference;
pub(crate) mod schema;
pub(crate) mod taken;
pub(crate) mod waiver;
