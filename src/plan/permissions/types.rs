//! Defines the rows of the table of permissions.

use crate::catalog::Catalog;

/// Purpose of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Commands that change nothing: plan, why, list, latest, explain, diff, and previews.
    Read,
    /// Commands that launch instances: release, preflight, probe, check, diff --against.
    Build,
    /// Commands that move environments: promote, rollback, hold, revoke, unlock, doctor --apply.
    Promote,
    /// Commands that remove AMIs and leftovers: prune, restore, retire and sweep with --apply.
    Prune,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Build, Self::Promote, Self::Prune];

    /// Returns the name of the purpose.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Build => "build",
            Self::Promote => "promote",
            Self::Prune => "prune",
        }
    }
}

/// Program that makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// bakeline, with a client of the AWS SDK.
    Sdk,
    /// bakeline, for the credentials of an environment's role.
    Credentials,
    /// bakeline, for its store.
    Store,
    /// Packer and its Amazon plugin.
    Packer,
    /// AWS CLI and Session Manager plugin, for `access: ssm`.
    SessionTools,
    /// AWS, as a part of another call.
    Aws,
}

/// Permission to call one action on one kind of resource.
#[derive(Debug)]
pub struct Permission {
    /// Action in an IAM policy, such as `ec2:DescribeImages`.
    pub action: &'static str,
    /// Reason for the calls.
    pub reason: &'static str,
    /// Program that makes the calls.
    pub caller: Caller,
    /// Roles in the home account that need the permission.
    pub home: &'static [Purpose],
    /// Purposes for which the roles of the environments need the permission.
    pub accounts: &'static [Purpose],
    /// Resources and conditions.
    pub scope: Scope,
    /// Part of the catalog that causes the calls.
    pub need: Need,
}

/// Kind of an EC2 resource in an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Image,
    Snapshot,
    Instance,
    Volume,
    NetworkInterface,
    Subnet,
    Vpc,
    SecurityGroup,
    KeyPair,
}

impl Kind {
    /// Returns the name of the kind in an ARN.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Snapshot => "snapshot",
            Self::Instance => "instance",
            Self::Volume => "volume",
            Self::NetworkInterface => "network-interface",
            Self::Subnet => "subnet",
            Self::Vpc => "vpc",
            Self::SecurityGroup => "security-group",
            Self::KeyPair => "key-pair",
        }
    }
}

/// Resources and conditions of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All resources: the action supports neither resources nor Regions.
    Any,
    /// All resources in the Regions of the catalog: the action supports no resources.
    Regions,
    /// EC2 resources with the tag of the catalog.
    Tagged(&'static [Kind]),
    /// EC2 resources with the tag of the catalog, or without any catalog's tag.
    TaggedOrNew(&'static [Kind]),
    /// EC2 resources that the call creates with the tag of the catalog, or that get it.
    Marked(&'static [Kind]),
    /// EC2 resources that a launch creates with the tag of the catalog. In China and GovCloud, Packer
    /// tags them after the launch (packer-plugin-amazon, `step_run_source_instance`).
    Launched(&'static [Kind]),
    /// Tags of EC2 resources in the call that creates them.
    OnCreate(&'static [Kind]),
    /// EC2 resources that a call uses, with any tags.
    Used(&'static [Kind]),
    /// SSM parameters of the catalog.
    Pointers,
    /// SSM parameters that name vendor AMIs.
    SourceParameters,
    /// All SSM parameters.
    AllParameters,
    /// Roles of the environments.
    EnvironmentRoles,
    /// Instance profiles of the builder.
    InstanceProfiles,
    /// Roles of the instance profiles, which have the same names.
    ProfileRoles,
    /// Instances with the tag of the catalog, and the documents of SSH sessions.
    SessionTargets,
    /// The caller's own SSM sessions.
    OwnSessions,
    /// KMS keys that EC2 uses for the caller.
    Keys,
    /// The bucket of the store.
    Bucket,
    /// The objects of the store.
    Objects,
}

/// Part of a catalog that causes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every catalog.
    Always,
    /// Locations besides home.
    Copies,
    /// Environments with accounts.
    Accounts,
    /// Environments with other accounts that get copies.
    CopyAccounts,
    /// Environments that share AMIs with other accounts.
    Shares,
    /// An instance profile in the builder.
    InstanceProfile,
    /// `access: ssm`.
    Sessions,
    /// A source that is an SSM parameter.
    SourceParameters,
    /// A key of the catalog that encrypts AMIs.
    Keys,
    /// A store in S3.
    Bucket,
}

/// Returns the name of the role for a purpose in the home account.
#[must_use]
pub fn home_role_name(catalog: &Catalog, purpose: Purpose) -> String {
    format!("bakeline-{}-{}", catalog.settings.name, purpose.as_str())
}
