//! Owns what can be done to an image while it is built; each kind lowers to Packer provisioner blocks in its own file.

pub mod ansible;
pub mod file;
pub mod packages;
pub mod puppet;
pub mod script;

/// One thing done to the image, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provision {
    /// Install packages with the platform's package manager.
    Packages(packages::Packages),
    /// Run a shell script of the catalog as root.
    Script(script::Script),
    /// Put a file of the catalog into the image.
    File(file::File),
    /// Play an Ansible playbook of the catalog against the instance.
    Ansible(ansible::Ansible),
    /// Apply a Puppet manifest of the catalog inside the instance.
    Puppet(puppet::Puppet),
}

impl Provision {
    /// The files of the catalog that it needs, by repository-relative path.
    #[must_use]
    pub fn files(&self) -> &[String] {
        match self {
            Self::Packages(_) => &[],
            Self::Script(script) => std::slice::from_ref(&script.path),
            Self::File(file) => std::slice::from_ref(&file.source),
            Self::Ansible(ansible) => &ansible.files,
            Self::Puppet(puppet) => &puppet.files,
        }
    }

    /// The values that the user gives it by name.
    #[must_use]
    pub fn values(&self) -> Option<&std::collections::BTreeMap<String, String>> {
        match self {
            Self::Packages(_) | Self::Script(_) | Self::File(_) => None,
            Self::Ansible(ansible) => Some(&ansible.vars),
            Self::Puppet(puppet) => Some(&puppet.facts),
        }
    }
}

/// The folder a file lies in; empty for the repository's root.
#[must_use]
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
