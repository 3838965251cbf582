//! Owns the table of resources: what can be looked at. To add one: a file here, a line in [`KINDS`], a test beside it.

mod command;
pub(crate) mod file;
mod mount;
mod os;
pub(crate) mod package;
mod passwd;
mod service;
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
    &os::KIND,
    &virtualization::KIND,
];

/// What is collected whatever is asked for: calls of the collector.
pub(crate) const BASE: &[&str] = &["identity", "accounts", "os_release", "all_packages", "unit_files"];

/// The functions of those of these calls that collector.sh has not.
pub(crate) const BASE_SHELL: &[&str] = &[];

/// A kind by its name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
