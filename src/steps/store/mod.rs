//! Writes and deletes objects of the store.

pub(in crate::steps) mod objects;
