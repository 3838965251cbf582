//! Owns the table of resources: what can be looked at. To add one: a file here, a line in [`KINDS`], a test beside it.

mod auditd_conf;
mod command;
mod config_file;
mod config_file_formats;
pub(crate) mod file;
mod login_defs;
mod mount;
mod os;
pub(crate) mod package;
mod passwd;
mod processes;
mod service;
mod ssh_config;
mod sshd_config;
mod sshd_config_merge;
mod sshd_config_parse;
mod sshd_config_view;
mod virtualization;

use super::kind::Kind;

/// Every kind of resource, in the order in which help texts and docs show them.
pub(crate) const KINDS: &[&Kind] = &[
    &file::KIND,
    &package::KIND,
    &service::KIND,
    &command::KIND,
    &mount::KIND,
    &passwd::KIND,
    &sshd_config::KIND,
    &ssh_config::KIND,
    &config_file::KIND,
    &login_defs::KIND,
    &auditd_conf::KIND,
    &processes::KIND,
    &os::KIND,
    &virtualization::KIND,
];

/// What is collected whatever is asked for: calls of the collector.
pub(crate) const BASE: &[&str] = &["identity", "accounts", "os_release", "all_packages", "unit_files"];

/// The functions of those of these calls that collector.sh has not.
pub(crate) const BASE_SHELL: &[&str] = &[];

pub(crate) use sshd_config::read_alone as sshd_config_fuzz;

/// A kind by its name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
