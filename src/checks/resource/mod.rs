//! Owns the table of resources: what can be looked at. To add one: a file here, a line in [`KINDS`], a test beside it.

mod apparmor;
mod authorized_keys;
mod certificate;
mod cloud_init;
mod command;
mod cron;
mod failed_units;
pub(crate) mod file;
mod firewall;
mod histories;
mod host_keys;
mod leftovers;
mod logs;
mod machine_id;
mod mount;
mod os;
pub(crate) mod package;
mod packages;
mod passwd;
mod port;
mod private_keys;
mod repositories;
mod service;
mod time_sync;
mod unit;
mod units;
mod updates;
mod virtualization;
mod walk;

use super::kind::Kind;

/// Every kind of resource, in the order in which help texts and docs show them.
pub(crate) const KINDS: &[&Kind] = &[
    &file::KIND,
    &package::KIND,
    &service::KIND,
    &command::KIND,
    &mount::KIND,
    &passwd::KIND,
    &os::KIND,
    &virtualization::KIND,
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
];

/// What is collected whatever is asked for: calls of the collector.
pub(crate) const BASE: &[&str] =
    &["identity", "accounts", "os_release", "all_packages", "unit_files", "listening", "repositories"];

/// The functions of those of these calls that collector.sh has not.
pub(crate) const BASE_SHELL: &[&str] = &[walk::SHELL, port::SHELL, repositories::SHELL];

/// A kind by its name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
