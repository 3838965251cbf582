//! Owns the table of resources: what can be looked at. To add one: a file here, a line in [`KINDS`], a test beside it.

mod acl;
mod auditd_conf;
mod command;
mod config_file;
mod config_file_formats;
mod cpu;
mod drop_in;
mod etc_group;
pub(crate) mod file;
mod file_state;
mod files;
mod fstab;
mod fstab_rows;
mod glob;
mod kernel_module;
mod kernel_parameter;
mod login_defs;
mod mount;
mod os;
pub(crate) mod package;
mod passwd;
mod processes;
mod profile;
mod search_path;
mod service;
mod shadow;
mod ssh_config;
mod sshd_config;
mod sshd_config_merge;
mod sshd_config_parse;
mod sshd_config_view;
mod virtualization;
mod find_walk;

use super::kind::Kind;

/// Every kind of resource, in the order in which help texts and docs show them.
pub(crate) const KINDS: &[&Kind] = &[
    &file::KIND,
    &package::KIND,
    &service::KIND,
    &command::KIND,
    &files::KIND,
    &acl::KIND,
    &kernel_parameter::KIND,
    &kernel_module::KIND,
    &mount::KIND,
    &fstab::KIND,
    &passwd::KIND,
    &etc_group::KIND,
    &shadow::KIND,
    &search_path::KIND,
    &cpu::KIND,
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
pub(crate) const BASE: &[&str] =
    &["identity", "accounts", "os_release", "all_packages", "unit_files", "mounts", kernel_parameter::BASE];

/// The functions of those of these calls that collector.sh has not.
pub(crate) const BASE_SHELL: &[&str] = &[drop_in::FUNCTIONS];

pub(crate) use sshd_config::read_alone as sshd_config_fuzz;

/// A kind by its name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
