//! Lists the resources. To add one, create a module with tests and add it to [`KINDS`].

mod acl;
mod apparmor;
mod auditd_conf;
mod authorized_keys;
mod certificate;
mod cloud_init;
mod command;
mod config_file;
mod config_file_formats;
mod cpu;
mod cron;
mod drop_in;
mod etc_group;
mod failed_units;
pub(crate) mod file;
mod file_state;
mod files;
mod find_walk;
mod firewall;
mod fstab;
mod fstab_rows;
mod glob;
mod histories;
mod host_keys;
mod kernel_module;
mod kernel_parameter;
mod leftovers;
mod login_defs;
mod logs;
mod machine_id;
mod mount;
pub(crate) mod os;
pub(crate) mod package;
mod packages;
mod passwd;
mod port;
mod private_keys;
mod processes;
mod profile;
mod repositories;
mod search_path;
mod service;
mod shadow;
mod ssh_config;
mod sshd_config;
mod sshd_config_merge;
mod sshd_config_parse;
mod sshd_config_view;
mod time_sync;
mod unit;
mod units;
mod updates;
mod virtualization;
mod walk;

use super::kind::Kind;

/// All resources, in the order of help texts and docs.
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
    &authorized_keys::KIND,
    &host_keys::KIND,
    &machine_id::KIND,
    &cloud_init::KIND,
    &histories::KIND,
    &logs::KIND,
    &leftovers::KIND,
    &private_keys::KIND,
    &packages::KIND,
    &time_sync::KIND,
    &port::KIND,
    &unit::KIND,
    &failed_units::KIND,
    &apparmor::KIND,
    &updates::KIND,
    &repositories::KIND,
    &cron::KIND,
    &firewall::KIND,
    &certificate::KIND,
    &os::KIND,
    &virtualization::KIND,
];

/// Collector calls that every collection makes.
pub(crate) const BASE: &[&str] = &[
    "identity",
    "accounts",
    "os_release",
    "all_packages",
    "unit_files",
    "mounts",
    kernel_parameter::BASE,
    "listening",
    "repositories",
];

/// Shell functions of these calls that are not in collector.sh.
pub(crate) const BASE_SHELL: &[&str] = &[
    drop_in::FUNCTIONS,
    walk::SHELL,
    port::SHELL,
    repositories::SHELL,
];

pub(crate) use sshd_config::read_alone as sshd_config_fuzz;

/// Returns the resource with this name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
