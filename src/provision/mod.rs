//! Defines the provisioners. Each kind has its own file, and `render` turns it into Packer
//! provisioners.

pub mod ansible;
pub mod file;
pub mod packages;
mod path;
pub mod puppet;
pub mod script;
pub mod tree;

pub use path::folder_of;

/// A change to an image during its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provision {
    /// Installs packages with the platform's package manager.
    Packages(packages::Packages),
    /// Runs a script of the catalog.
    Script(script::Script),
    /// Copies a file of the catalog into the image.
    File(file::File),
    /// Copies a folder of the catalog into the image.
    Tree(tree::Tree),
    /// Runs an Ansible playbook of the catalog against the instance.
    Ansible(ansible::Ansible),
    /// Applies a Puppet manifest of the catalog on the instance.
    Puppet(puppet::Puppet),
}

impl Provision {
    /// Returns the paths of the files that the provisioner needs, relative to the repository.
    #[must_use]
    pub fn files(&self) -> &[String] {
        match self {
            Self::Packages(_) => &[],
            Self::Script(script) => std::slice::from_ref(&script.path),
            Self::File(file) => std::slice::from_ref(&file.source),
            Self::Tree(tree) => tree.files(),
            Self::Ansible(ansible) => &ansible.files,
            Self::Puppet(puppet) => &puppet.files,
        }
    }
}
