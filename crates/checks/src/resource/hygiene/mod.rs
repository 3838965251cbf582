//! Resources for data that an image must not contain.

pub(crate) mod build_artifacts;
pub(crate) mod cloud_init;
pub(crate) mod credentials;
pub(crate) mod logs;
pub(crate) mod machine_id;
pub(crate) mod private_keys;
pub(crate) mod privileged_files;
pub(crate) mod shell_history;
