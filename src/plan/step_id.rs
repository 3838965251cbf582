//! Defines the IDs of steps.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scope::{Scope, ScopeError};
use crate::lifecycle::retirement::RetirementStage;

macro_rules! step_names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Name of a step, unique within its scope. Names sort by their texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StepName {
            $($(#[$doc])* $variant,)*
            /// Record of the checks on a copy: `retag-2` and up.
            RetagCopy(usize),
        }

        impl StepName {
            /// Names without a number.
            pub const PLAIN: &[Self] = &[$(Self::$variant),*];
        }

        impl fmt::Display for StepName {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.pad($text),)*
                    Self::RetagCopy(number) => f.pad(&format!("{}-{number}", Self::Retag)),
                }
            }
        }
    };
}

step_names! {
    /// Creation of the key pair.
    Key = "key",
    /// Creation of the security group.
    Group = "group",
    /// Build with Packer.
    Build = "build",
    /// Tags of a new AMI.
    Candidate = "candidate",
    /// Launch of a test instance.
    Boot = "boot",
    /// Boot checks.
    Check = "check",
    /// Termination of the test instance.
    Terminate = "terminate",
    /// Deletion of the security group.
    DropGroup = "drop-group",
    /// Deletion of the key pair.
    DropKey = "drop-key",
    /// Release of a new version.
    Release = "release",
    /// Removal of an AMI that was built on trial.
    Discard = "discard",
    /// Record of the checks on a version.
    Retag = "retag",
    /// Update probe.
    Probe = "probe",
    /// Collection of facts without a verdict.
    Collect = "collect",
    /// Report of an unreachable location.
    Read = "read",
    /// Grant of a copy permission.
    Share = "share",
    /// Grant of launch permissions.
    AllowLaunch = "allow-launch",
    /// Removal of launch permissions.
    DisallowLaunch = "disallow-launch",
    /// Pointer of an account that launches a shared AMI.
    PublishShared = "publish-shared",
    /// Copy to another location.
    Copy = "copy",
    /// Removal of a copy permission.
    Unshare = "unshare",
    /// Test launch by a dry run.
    Launchable = "launchable",
    /// Promotion at one location.
    Promote = "promote",
    /// Rollback at one location.
    Rollback = "rollback",
    /// Hold of a version, or its release.
    Hold = "hold",
    /// Revocation at one location.
    Withdraw = "withdraw",
    /// Repair of tags.
    RepairTags = "mend",
    /// Repair of a pointer.
    Publish = "publish",
    /// Deletion of an obsolete pointer.
    Unpublish = "unpublish",
    /// First retirement stage.
    Deprecate = "deprecate",
    /// Second retirement stage.
    Disable = "disable",
    /// Last retirement stage.
    Deregister = "deregister",
    /// Restoration of an AMI.
    Restore = "restore",
    /// Removal of the pointers of a retired image.
    ClearPointers = "unpoint",
    /// Removal of a leftover.
    Sweep = "sweep",
    /// Repair of an object in the store.
    PutObject = "remember",
    /// Deletion of an object from the store.
    DeleteObject = "forget",
}

impl From<RetirementStage> for StepName {
    fn from(stage: RetirementStage) -> Self {
        match stage {
            RetirementStage::Deprecate => Self::Deprecate,
            RetirementStage::Disable => Self::Disable,
            RetirementStage::Deregister => Self::Deregister,
        }
    }
}

impl PartialOrd for StepName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StepName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

/// Error for a text that is not a step ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepIdError {
    /// The text has no `/`.
    #[error("`{0}` is not a step ID such as `web/build`")]
    Shape(String),
    /// The scope is not valid.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The name is not known.
    #[error("`{0}` is not the name of a step")]
    Name(String),
}

impl FromStr for StepName {
    type Err = StepIdError;

    fn from_str(text: &str) -> Result<Self, StepIdError> {
        if let Some(name) = Self::PLAIN.iter().find(|name| name.to_string() == text) {
            return Ok(*name);
        }
        let number = text.strip_prefix("retag-").and_then(|n| n.parse().ok());
        number
            .map(Self::RetagCopy)
            .filter(|name| name.to_string() == text)
            .ok_or_else(|| StepIdError::Name(text.to_owned()))
    }
}

/// ID of a step within a plan. The text is `scope/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepId {
    /// Scope of the step.
    pub scope: Scope,
    /// Name of the step.
    pub name: StepName,
}

impl StepId {
    /// Creates the ID of a step in a scope.
    #[must_use]
    pub fn new(scope: Scope, name: StepName) -> Self {
        Self { scope, name }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.scope, self.name))
    }
}

impl FromStr for StepId {
    type Err = StepIdError;

    fn from_str(text: &str) -> Result<Self, StepIdError> {
        let (scope, name) = text
            .rsplit_once('/')
            .ok_or_else(|| StepIdError::Shape(text.to_owned()))?;
        Ok(Self::new(scope.parse()?, name.parse()?))
    }
}

impl TryFrom<String> for StepId {
    type Error = StepIdError;

    fn try_from(text: String) -> Result<Self, StepIdError> {
        text.parse()
    }
}

impl From<StepId> for String {
    fn from(id: StepId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_id_survives_a_round_trip() {
        let names = StepName::PLAIN.iter().copied();
        for name in names.chain([StepName::RetagCopy(2), StepName::RetagCopy(11)]) {
            for scope in ["web", "web@123456789012.eu-west-1", "store.acme.x.json"] {
                let id = StepId::new(scope.parse().expect("a scope"), name);
                let json = serde_json::to_string(&id).expect("a step ID is valid JSON");
                assert_eq!(json, format!("\"{scope}/{name}\""));
                let read: StepId = serde_json::from_str(&json).expect("a step ID");
                assert_eq!(read, id);
            }
        }
    }

    /// Texts in journals and saved plans, which must remain readable.
    #[test]
    fn step_names_keep_their_texts() {
        let texts: Vec<String> = StepName::PLAIN.iter().map(StepName::to_string).collect();
        assert_eq!(
            texts.join(" "),
            "key group build candidate boot check terminate drop-group drop-key release discard \
             retag probe collect read share allow-launch disallow-launch publish-shared copy unshare launchable promote rollback hold \
             withdraw mend publish unpublish deprecate disable deregister restore unpoint sweep \
             remember forget"
        );
        assert_eq!(StepName::RetagCopy(2).to_string(), "retag-2");
    }

    #[test]
    fn invalid_step_ids_are_rejected() {
        for text in [
            "web",
            "web/",
            "/build",
            "web/x",
            "web/retag-x",
            "web/retag-02",
        ] {
            assert!(text.parse::<StepId>().is_err(), "{text}");
        }
    }
}
