//! Resources for the SSH server, client and keys.

pub(crate) mod authorized_keys;
pub(crate) mod host_keys;
pub(crate) mod ssh_config;
pub(crate) mod sshd_config;
pub(crate) mod sshd_config_merge;
pub(crate) mod sshd_config_parse;
pub(crate) mod sshd_config_view;
