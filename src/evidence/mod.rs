//! Defines the stored evidence about builds and runs: object keys, manifests, descriptions of runs, build
//! history and differences.

pub mod diff;
pub mod history;
pub mod keys;
pub mod manifest;
pub mod run_description;
