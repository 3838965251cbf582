//! Defines the `packages` provisioner: names for the package manager, never options.

/// Packages to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Package names, optionally `name=version`. The platform checks the syntax.
    pub names: Vec<String>,
}
