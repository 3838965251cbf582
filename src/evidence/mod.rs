//! Owns what is kept about finished builds beside their tags: the keys in the store and what two builds differ in.

pub mod diff;
pub mod history;
pub mod keys;
pub mod manifest;
