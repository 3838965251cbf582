//! Resources for configuration files.

pub(crate) mod auditd_conf;
pub(crate) mod config_file;
pub(crate) mod config_file_formats;
pub(crate) mod drop_in;
pub(crate) mod login_defs;
