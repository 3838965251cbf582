//! Describes the actions of a plan: their names, their need of an instance, and whether they can be
//! undone.

use super::step::Action;

impl Action {
    /// Returns whether the action needs an instance that it can log in to.
    #[must_use]
    pub fn uses_instance(&self) -> bool {
        matches!(
            self,
            Self::Build { .. }
                | Self::Boot { .. }
                | Self::CheckBoot { .. }
                | Self::Recheck { .. }
                | Self::Probe { .. }
                | Self::Inspect { .. }
        )
    }

    /// Returns whether the action creates the access to an instance, or the instance itself.
    #[must_use]
    pub fn creates_access(&self) -> bool {
        matches!(
            self,
            Self::CreateKeyPair { .. } | Self::CreateGroup { .. } | Self::Boot { .. }
        )
    }

    /// Returns whether a failed or cancelled scope undoes the action, or has nothing to undo.
    #[must_use]
    pub fn has_undo(&self) -> bool {
        !matches!(
            self,
            Self::Deregister { .. }
                | Self::DisallowLaunch { .. }
                | Self::Restore { .. }
                | Self::Sweep { .. }
                | Self::Withdraw { .. }
                | Self::Publish { .. }
                | Self::Unpublish { .. }
                | Self::PutObject { .. }
                | Self::DeleteObject { .. }
        )
    }

    /// Returns the name of the action for messages.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateKeyPair { .. } => "create key pair",
            Self::CreateGroup { .. } => "create security group",
            Self::Build { .. } => "build the AMI",
            Self::TagCandidate { .. } => "tag candidate",
            Self::AdoptCandidate { .. } => "continue with the candidate",
            Self::Boot { .. } => "boot an instance",
            Self::CheckBoot { .. } => "run boot checks",
            Self::Terminate { .. } => "terminate the instance",
            Self::DeleteGroup { .. } => "delete security group",
            Self::DeleteKeyPair { .. } => "delete key pair",
            Self::MoveCurrent { .. } => "make the version current",
            Self::Deprecate { .. } => "deprecate",
            Self::Disable { .. } => "disable",
            Self::Deregister { .. } => "deregister",
            Self::Restore { .. } => "restore",
            Self::ClearPointers { .. } => "remove the pointers",
            Self::Recheck { .. } => "repeat the boot checks",
            Self::Retag { .. } => "record the checks",
            Self::Probe { .. } => "look for updates",
            Self::Inspect { .. } => "collect facts",
            Self::Sweep { .. } => "remove",
            Self::Discard { .. } => "discard",
            Self::Share { .. } => "share",
            Self::Unshare { .. } => "stop sharing",
            Self::AllowLaunch { .. } => "allow launches",
            Self::DisallowLaunch { .. } => "disallow launches",
            Self::PublishShared { .. } => "publish the shared AMI",
            Self::Copy { .. } => "copy",
            Self::Launchable { .. } => "test the launch",
            Self::SetTags { .. } => "tag",
            Self::Withdraw { .. } => "withdraw",
            Self::Publish { .. } => "publish",
            Self::Unpublish { .. } => "unpublish",
            Self::PutObject { .. } => "write to the store",
            Self::DeleteObject { .. } => "remove from the store",
            Self::Unreachable { .. } => "read",
        }
    }
}
