//! Reads YAML files: parses a text, validates it against a JSON Schema and deserializes it.

pub(crate) mod control_characters;
pub(crate) mod deserialize;
pub(crate) mod node;
mod parse;
pub(crate) mod secrets;
pub(crate) mod source;
#[cfg(test)]
mod tests;
pub(crate) mod validate;

pub(crate) use parse::{MAX_BYTES, parse};
