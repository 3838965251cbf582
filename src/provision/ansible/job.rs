//! Defines the job file of a playbook.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Job for the program that Packer starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Name of the image and of the host in the inventory.
    pub image: String,
    /// Path of the playbook, relative to the repository.
    pub playbook: String,
    /// Login user. Root access uses sudo.
    pub user: String,
    /// Links to directories, by path, with their targets. Both are relative to the repository.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Path of the Ansible configuration, relative to the directory of the job.
    pub(super) config: String,
}
