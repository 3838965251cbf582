//! Owns the `packages` provisioner: names handed to the platform's package manager, never as options.

/// Packages to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Package names, optionally `name=version`; checked by the platform's rules.
    pub names: Vec<String>,
}
