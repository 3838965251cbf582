//! Defines the typed outputs of steps.
//!
//! The journal and the result file contain outputs as JSON objects, so names and order of the
//! fields are a format.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    AmiId, EnvName, InstanceId, Probe, Region, SnapshotId, State, Tags, TemporaryKind, Timestamp,
};
use crate::plan::{AmiRef, StepId};

/// Output of a finished step. Each variant has its own set of fields, so that a journal can be read
/// back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum StepOutput {
    /// Created key pair.
    KeyPair {
        /// Name of the key pair.
        key_pair: String,
        /// Path of the private key.
        file: PathBuf,
    },
    /// Created security group.
    Group {
        /// ID of the group.
        group: String,
    },
    /// AMI of a build.
    Build {
        /// ID of the new AMI.
        ami: AmiId,
        /// ID of the base AMI.
        base: AmiId,
        /// Packer log, unless the AMI existed already.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<PathBuf>,
        /// Type of the build instance, unless the AMI existed already.
        #[serde(skip_serializing_if = "Option::is_none")]
        instance_type: Option<String>,
        /// Subnet of the build instance, if one is configured.
        #[serde(skip_serializing_if = "Option::is_none")]
        subnet: Option<String>,
    },
    /// Tagged candidate.
    Candidate {
        /// ID of the AMI.
        ami: AmiId,
        /// Snapshots of the AMI.
        snapshots: Vec<SnapshotId>,
    },
    /// Running instance.
    Instance {
        /// ID of the instance.
        instance: InstanceId,
        /// IP address of the instance.
        address: String,
        /// AMI of the instance.
        ami: AmiId,
        /// Type of the instance.
        instance_type: String,
        /// Subnet of the instance, if one is configured.
        #[serde(skip_serializing_if = "Option::is_none")]
        subnet: Option<String>,
    },
    /// Passed boot checks.
    Checks {
        /// Number of verdicts by status.
        summary: String,
        /// Path of the evidence file.
        evidence: PathBuf,
    },
    /// Collected facts of a manual check.
    Facts {
        /// Path of the facts in the run directory.
        facts: String,
    },
    /// Terminated instance.
    Terminated {
        /// ID of the instance.
        terminated: InstanceId,
    },
    /// Deleted key pair, security group or parameter; `None` if it did not exist.
    Deleted {
        /// Name or ID of the resource.
        deleted: Option<String>,
    },
    /// AMIs that became current.
    Moves {
        /// Moves in order.
        moves: Vec<MovedAmi>,
        /// AMI of the last move.
        ami: Option<AmiId>,
    },
    /// Deprecated AMI.
    Deprecated {
        /// ID of the AMI.
        deprecated: AmiId,
        /// Time of the deprecation.
        from: Timestamp,
    },
    /// Disabled AMI.
    Disabled {
        /// ID of the AMI.
        disabled: AmiId,
        /// Recorded launch permissions.
        permissions: Vec<String>,
    },
    /// Deregistered AMI.
    Deregistered {
        /// ID of the AMI.
        deregistered: AmiId,
        /// Deleted snapshots.
        snapshots: Vec<SnapshotId>,
    },
    /// AMI that was deregistered before this step.
    DeregisteredBefore {
        /// ID of the AMI.
        deregistered: AmiId,
        /// Always true.
        already: bool,
    },
    /// Restored AMI.
    Restored {
        /// ID of the AMI.
        restored: AmiId,
        /// State after the restore.
        state: State,
        /// Restored launch permissions.
        permissions: Vec<String>,
        /// Number of launch permissions without a record.
        lost: usize,
        /// Error of EC2, if it refused the launch permission for everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// Removed pointers of an AMI.
    ClearedPointers {
        /// ID of the AMI.
        #[serde(rename = "unpointed")]
        cleared: AmiId,
        /// Names of the SSM parameters.
        pointers: Vec<String>,
    },
    /// Deregistered candidate of this run.
    Discarded {
        /// Name of the AMI.
        #[serde(rename = "thrown_away")]
        discarded: String,
    },
    /// Removed temporary resource of a dead run.
    Swept {
        /// ID of the resource.
        removed: String,
        /// Kind of the resource.
        kind: TemporaryKind,
    },
    /// Permissions that another account received.
    Shared {
        /// ID of the AMI.
        shared: AmiId,
        /// ID of the account.
        with: String,
        /// Granted permissions, in the form of the tag.
        given: String,
    },
    /// End of a copy to another account.
    Unshared {
        /// ID of the original AMI.
        original: AmiId,
        /// True if the permissions were removed.
        ended: bool,
    },
    /// Launch permissions that receivers got.
    LaunchAllowed {
        /// New receivers of each AMI.
        allowed: BTreeMap<AmiId, Vec<String>>,
    },
    /// Launch permissions that receivers lost.
    LaunchDisallowed {
        /// Former receivers of each AMI.
        disallowed: BTreeMap<AmiId, Vec<String>>,
    },
    /// Finished copy.
    Copy {
        /// ID of the copy.
        ami: AmiId,
        /// Region and ID of the original AMI.
        origin: String,
        /// Snapshots of the copy.
        snapshots: Vec<SnapshotId>,
    },
    /// AMI that passed a launch test.
    Launchable {
        /// ID of the AMI.
        launchable: AmiId,
    },
    /// Tagged AMIs.
    Tagged {
        /// IDs of the AMIs.
        tagged: Vec<AmiId>,
        /// Tags of the AMIs.
        tags: Tags,
    },
    /// Revoked AMIs.
    Revoked {
        /// IDs of the AMIs.
        revoked: Vec<AmiId>,
        /// Deleted pointers.
        unpublished: Vec<String>,
    },
    /// Published pointer.
    Published {
        /// Name of the SSM parameter.
        pointer: String,
        /// ID of the AMI.
        ami: AmiId,
    },
    /// Recorded recheck.
    Retagged {
        /// ID of the AMI.
        ami: AmiId,
        /// Digest of the checks.
        checks: String,
    },
    /// Pending updates of a version.
    Updates {
        /// Number of updates.
        summary: String,
        /// Pending updates.
        probe: Probe,
        /// ID of the AMI.
        ami: AmiId,
    },
    /// Written store object.
    ObjectWritten {
        /// Key of the object.
        written: String,
    },
    /// Deleted store object.
    ObjectDeleted {
        /// Key of the object.
        removed: String,
    },
}

/// AMI that became current in an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedAmi {
    /// Environment.
    pub env: EnvName,
    /// ID of the AMI.
    pub ami: AmiId,
    /// Region of the AMI.
    pub region: Region,
    /// Tags of the AMI before the move.
    pub before: Tags,
}

impl StepOutput {
    /// Returns the AMI that the step created, tagged or used.
    #[must_use]
    pub fn ami(&self) -> Option<&AmiId> {
        match self {
            Self::Build { ami, .. }
            | Self::Candidate { ami, .. }
            | Self::Instance { ami, .. }
            | Self::Copy { ami, .. }
            | Self::Published { ami, .. }
            | Self::Retagged { ami, .. }
            | Self::Updates { ami, .. } => Some(ami),
            Self::Moves { ami, .. } => ami.as_ref(),
            _ => None,
        }
    }

    /// Returns the summary of checks or updates.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        match self {
            Self::Checks { summary, .. } | Self::Updates { summary, .. } => Some(summary),
            _ => None,
        }
    }

    /// Returns the output as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Outputs of the finished steps, by step.
#[derive(Debug, Clone, Default)]
pub struct Outputs(BTreeMap<StepId, StepOutput>);

impl Outputs {
    /// Adds the output of a finished step.
    pub fn insert(&mut self, step: StepId, output: StepOutput) {
        self.0.insert(step, output);
    }

    /// Returns the output of a step if it has finished.
    #[must_use]
    pub fn get(&self, step: &StepId) -> Option<&StepOutput> {
        self.0.get(step)
    }

    /// Returns the ID of an AMI, which may be the output of an earlier step.
    ///
    /// # Errors
    /// Fails if the step has no AMI in its output.
    pub fn ami(&self, ami: &AmiRef) -> Result<AmiId> {
        match ami {
            AmiRef::Known(id) => Ok(id.clone()),
            AmiRef::MadeBy(step) => self.find(step, "AMI", |output| output.ami().cloned()),
        }
    }

    /// Returns the base AMI of a build.
    ///
    /// # Errors
    /// Fails if the step is not a finished build.
    pub fn base(&self, build: &StepId) -> Result<AmiId> {
        self.find(build, "base AMI", |output| match output {
            StepOutput::Build { base, .. } => Some(base.clone()),
            _ => None,
        })
    }

    /// Returns the ID and the address of an instance.
    ///
    /// # Errors
    /// Fails if the step did not launch an instance.
    pub fn instance(&self, boot: &StepId) -> Result<(InstanceId, String)> {
        self.find(boot, "instance", |output| match output {
            StepOutput::Instance {
                instance, address, ..
            } => Some((instance.clone(), address.clone())),
            _ => None,
        })
    }

    /// Returns the name of a key pair.
    ///
    /// # Errors
    /// Fails if the step did not create a key pair.
    pub fn key_pair(&self, step: &StepId) -> Result<String> {
        self.find(step, "key pair", |output| match output {
            StepOutput::KeyPair { key_pair, .. } => Some(key_pair.clone()),
            _ => None,
        })
    }

    /// Returns the ID of a security group.
    ///
    /// # Errors
    /// Fails if the step did not create a security group.
    pub fn group(&self, step: &StepId) -> Result<String> {
        self.find(step, "security group", |output| match output {
            StepOutput::Group { group } => Some(group.clone()),
            _ => None,
        })
    }

    fn find<T>(
        &self,
        step: &StepId,
        what: &str,
        value: impl Fn(&StepOutput) -> Option<T>,
    ) -> Result<T> {
        self.0.get(step).and_then(value).ok_or_else(|| {
            // Only an edited plan refers to a step that has no such output.
            let text = format!("the plan uses the {what} of step {step}, which has none");
            Error::new(ErrorKind::StepFailed, text).hint("create the plan again")
        })
    }
}
