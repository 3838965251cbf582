//! Lists the kinds of resources and finds them by name.

use crate::kind::{Kind, Target};
use crate::resource::{
    accounts, config, filesystem, hygiene, kernel, machine, network, packaging, process, ssh,
    systemd,
};

/// Every kind of resource, in the order in which help texts and docs show them.
pub(crate) const KINDS: &[&Kind] = &[
    &filesystem::file::KIND,
    &packaging::package::KIND,
    &systemd::service::KIND,
    &process::command::KIND,
    &filesystem::files::KIND,
    &filesystem::acl::KIND,
    &kernel::kernel_parameter::KIND,
    &kernel::kernel_module::KIND,
    &filesystem::mount::KIND,
    &filesystem::fstab::KIND,
    &accounts::passwd::KIND,
    &accounts::etc_group::KIND,
    &accounts::shadow::KIND,
    &accounts::login_path::KIND,
    &machine::cpu::KIND,
    &ssh::sshd_config::KIND,
    &ssh::ssh_config::KIND,
    &config::config_file::KIND,
    &config::key_value::LOGIN_DEFS,
    &config::key_value::AUDITD_CONF,
    &process::processes::KIND,
    &ssh::authorized_keys::KIND,
    &ssh::host_keys::KIND,
    &hygiene::machine_id::KIND,
    &hygiene::cloud_init::KIND,
    &hygiene::shell_history::KIND,
    &hygiene::logs::KIND,
    &hygiene::build_artifacts::KIND,
    &hygiene::private_keys::KIND,
    &packaging::packages::KIND,
    &network::time_sync::KIND,
    &network::port::KIND,
    &systemd::unit::KIND,
    &systemd::failed_units::KIND,
    &kernel::apparmor::KIND,
    &packaging::updates::KIND,
    &packaging::repositories::KIND,
    &process::cron::KIND,
    &network::firewall::KIND,
    &network::certificate::KIND,
    &machine::os::KIND,
    &machine::virtualization::KIND,
];

/// Calls of the collector that every collection makes.
pub(crate) const BASE: &[&str] = &[
    "identity",
    "accounts",
    "os_release",
    "all_packages",
    "unit_files",
    "mounts",
    kernel::kernel_parameter::BASE,
    "listening",
    "repositories",
];

/// Shell functions of these calls that `collector.sh` does not define.
pub(crate) const BASE_SHELL: &[&str] = &[
    config::drop_in::FUNCTIONS,
    filesystem::walk::SHELL,
    network::port::SHELL,
    packaging::repositories::SHELL,
];

/// Returns the kind with this name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// Returns the kind of a target; `None` for a target that another version of bakeline wrote.
pub(crate) fn kind_of(target: &Target) -> Option<&'static Kind> {
    kind(&target.kind)
}
