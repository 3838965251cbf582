//! Resources for configuration files.

pub(crate) mod config_file;
pub(crate) mod config_file_formats;
pub(crate) mod drop_in;
pub(crate) mod key_value;
