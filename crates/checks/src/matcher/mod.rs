//! Defines matchers and compares them with values.

pub(crate) mod compare;
pub(crate) mod context;
pub(crate) mod definition;
mod describe;
pub(crate) mod error;
mod json_pointer;
mod offenders;
pub(crate) mod operand;
pub(crate) mod parse;
pub(crate) mod pattern;
pub(crate) mod tree;
pub(crate) mod value;
pub(crate) mod value_type;

pub use definition::Matcher;
