//! Lists the resource types and finds them by name.

use crate::resource::{
    accounts, config, filesystem, hygiene, kernel, machine, network, packaging, process, ssh,
    systemd,
};
use crate::resource_type::{ResourceRef, ResourceType};

/// All resource types, in the order in which help texts and docs show them.
pub(crate) const RESOURCE_TYPES: &[&ResourceType] = &[
    &filesystem::file::RESOURCE_TYPE,
    &packaging::package::RESOURCE_TYPE,
    &systemd::service::RESOURCE_TYPE,
    &process::command::RESOURCE_TYPE,
    &filesystem::files::RESOURCE_TYPE,
    &filesystem::acl::RESOURCE_TYPE,
    &kernel::kernel_parameter::RESOURCE_TYPE,
    &kernel::kernel_module::RESOURCE_TYPE,
    &filesystem::mount::RESOURCE_TYPE,
    &filesystem::fstab::RESOURCE_TYPE,
    &accounts::passwd::RESOURCE_TYPE,
    &accounts::etc_group::RESOURCE_TYPE,
    &accounts::shadow::RESOURCE_TYPE,
    &accounts::login_path::RESOURCE_TYPE,
    &accounts::sudoers::RESOURCE_TYPE,
    &machine::cpu::RESOURCE_TYPE,
    &ssh::sshd_config::RESOURCE_TYPE,
    &ssh::ssh_config::RESOURCE_TYPE,
    &config::config_file::RESOURCE_TYPE,
    &config::key_value::LOGIN_DEFS,
    &config::key_value::AUDITD_CONF,
    &process::processes::RESOURCE_TYPE,
    &ssh::authorized_keys::RESOURCE_TYPE,
    &ssh::host_keys::RESOURCE_TYPE,
    &hygiene::machine_id::RESOURCE_TYPE,
    &hygiene::cloud_init::RESOURCE_TYPE,
    &hygiene::shell_history::RESOURCE_TYPE,
    &hygiene::logs::RESOURCE_TYPE,
    &hygiene::build_artifacts::RESOURCE_TYPE,
    &hygiene::private_keys::RESOURCE_TYPE,
    &hygiene::credentials::RESOURCE_TYPE,
    &hygiene::privileged_files::RESOURCE_TYPE,
    &packaging::packages::RESOURCE_TYPE,
    &network::time_sync::RESOURCE_TYPE,
    &network::port::RESOURCE_TYPE,
    &systemd::unit::RESOURCE_TYPE,
    &systemd::failed_units::RESOURCE_TYPE,
    &kernel::apparmor::RESOURCE_TYPE,
    &kernel::selinux::RESOURCE_TYPE,
    &packaging::updates::RESOURCE_TYPE,
    &packaging::repositories::RESOURCE_TYPE,
    &process::cron::RESOURCE_TYPE,
    &network::firewall::RESOURCE_TYPE,
    &network::certificate::RESOURCE_TYPE,
    &machine::os::RESOURCE_TYPE,
    &machine::virtualization::RESOURCE_TYPE,
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
    packaging::package::SHELL,
    packaging::repositories::SHELL,
];

/// Returns the resource type with this name.
pub(crate) fn resource_type(name: &str) -> Option<&'static ResourceType> {
    RESOURCE_TYPES
        .iter()
        .find(|known| known.name == name)
        .copied()
}

/// Returns the type of a resource; `None` if another version of bakeline wrote the reference.
pub(crate) fn resource_type_of(resource: &ResourceRef) -> Option<&'static ResourceType> {
    resource_type(&resource.kind)
}
