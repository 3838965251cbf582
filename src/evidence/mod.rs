//! Defines the stored evidence about finished builds: object keys, manifests, build history and
//! differences.

pub mod diff;
pub mod history;
pub mod keys;
pub mod manifest;
