//! Writes and deletes objects of the store.

pub(in crate::steps) mod objects;
pub(in crate::steps) mod run_files;
