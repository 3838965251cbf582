//! Lists the permissions that bakeline needs: one row for each action and kind of resource.
//!
//! A new call of an SDK client needs a row here. The test `every_sdk_call_is_in_the_table` compares
//! the rows with the sources of `adapters/aws`.

use super::types::Kind::{
    Image, Instance, KeyPair, NetworkInterface, SecurityGroup, Snapshot, Subnet, Volume, Vpc,
};
use super::types::Purpose::{Build, Promote, Prune, Read};
use super::types::{Caller, Need, Permission, Purpose, Scope};

const NONE: &[Purpose] = &[];
const ALL: &[Purpose] = &[Read, Build, Promote, Prune];
const CHANGES: &[Purpose] = &[Build, Promote, Prune];
const BUILD: &[Purpose] = &[Build];
const PROMOTE: &[Purpose] = &[Promote];
const PRUNE: &[Purpose] = &[Prune];
/// Purposes that look for vendor AMIs.
const SOURCES: &[Purpose] = &[Read, Build];
/// Purposes that make AMIs current.
const PUBLISH: &[Purpose] = &[Build, Promote];
/// Purposes that remove leftovers: a release ends with a sweep.
const SWEEP: &[Purpose] = &[Build, Prune];
/// Purposes that list leftovers.
const LIST: &[Purpose] = &[Read, Build, Prune];
/// Purposes that list the references of AMIs.
const USAGE: &[Purpose] = &[Read, Prune];
/// Purposes that compare the parameters of the catalog: doctor.
const COMPARE: &[Purpose] = &[Read, Promote];

/// Defines the table. A row has the caller, the action, the roles in the home account, the purposes
/// of the roles in the accounts of the environments, the part of the catalog that causes the calls,
/// the reason, and the resources.
macro_rules! table {
    ($($caller:ident $action:literal $home:ident $accounts:ident $need:ident, $reason:literal,
        $scope:ident $(($kinds:expr))?;)*) => {
        /// All permissions.
        pub static TABLE: &[Permission] = &[$(Permission {
            action: $action,
            reason: $reason,
            caller: Caller::$caller,
            home: $home,
            accounts: $accounts,
            scope: Scope::$scope $(($kinds))?,
            need: Need::$need,
        }),*];
    };
}

table! {
    // Identity.
    // AWS always allows sts:GetCallerIdentity. Without sts:DecodeAuthorizationMessage, errors lack the
    // statements that deny actions.
    Sdk "sts:DecodeAuthorizationMessage" ALL ALL Always, "statements that deny actions", Any;
    Credentials "sts:AssumeRole" ALL NONE Accounts, "access to the accounts of the environments",
        EnvironmentRoles;
    // Reads.
    Sdk "ec2:DescribeImages" ALL ALL Always, "AMIs of the catalog and of vendors", Regions;
    Sdk "ec2:DescribeInstances" LIST LIST Always, "state of instances, users of AMIs", Regions;
    Sdk "ec2:DescribeSnapshots" LIST LIST Always, "leftovers of dead runs", Regions;
    Sdk "ec2:DescribeVolumes" LIST LIST Always, "leftovers of dead runs", Regions;
    Sdk "ec2:DescribeSecurityGroups" LIST LIST Always, "leftovers of dead runs", Regions;
    Sdk "ec2:DescribeKeyPairs" LIST LIST Always, "leftovers of dead runs", Regions;
    Sdk "ec2:DescribeLaunchTemplates" LIST USAGE Always, "users of AMIs", Regions;
    Sdk "ec2:DescribeLaunchTemplateVersions" LIST USAGE Always, "users of AMIs", Regions;
    Sdk "ec2:DescribeImageReferences" LIST USAGE Always, "users of AMIs", Regions;
    Sdk "autoscaling:DescribeLaunchConfigurations" LIST USAGE Always, "users of AMIs", Regions;
    Sdk "ssm:DescribeParameters" LIST LIST Always, "parameters that name AMIs", Regions;
    Sdk "ssm:GetParameters" LIST LIST Always, "parameters that name AMIs", AllParameters;
    // DescribeImageReferences searches Image Builder with the permissions of the caller
    // (AmazonEC2ImageReferencesAccessPolicy).
    Aws "imagebuilder:ListImageRecipes" LIST USAGE Always, "users of AMIs", Regions;
    Aws "imagebuilder:ListContainerRecipes" LIST USAGE Always, "users of AMIs", Regions;
    Aws "imagebuilder:GetContainerRecipe" LIST USAGE Always, "users of AMIs", Regions;
    Sdk "ec2:DescribeImageAttribute" ALL USAGE Always, "launch permissions", Regions;
    Sdk "ec2:DescribeSnapshotAttribute" PUBLISH NONE CopyAccounts, "permissions before a copy",
        Regions;
    Sdk "ssm:GetParameter" ALL CHANGES Always, "current AMIs", Pointers;
    Sdk "ssm:GetParametersByPath" COMPARE COMPARE Always, "current AMIs", Pointers;
    Sdk "ssm:GetParameter" SOURCES NONE SourceParameters, "vendor AMIs", SourceParameters;
    // Prerequisites of builds. Packer makes most of these calls, too.
    Sdk "ec2:DescribeRegions" BUILD BUILD Always, "Regions of the account", Any;
    Sdk "ec2:DescribeVpcs" BUILD NONE Always, "network of the build", Regions;
    Sdk "ec2:DescribeSubnets" BUILD NONE Always, "network of the build", Regions;
    Sdk "ec2:DescribeInstanceTypes" BUILD NONE Always, "instance type of the build", Regions;
    Sdk "ec2:DescribeInstanceTypeOfferings" BUILD NONE Always, "instance type of the build",
        Regions;
    Sdk "kms:DescribeKey" BUILD BUILD Keys, "state of the keys", Regions;
    // Temporary resources of builds and checks.
    Sdk "ec2:CreateKeyPair" BUILD NONE Always, "key pair of a run", Marked(&[KeyPair]);
    Sdk "ec2:DeleteKeyPair" SWEEP SWEEP Always, "end of a run", Tagged(&[KeyPair]);
    Sdk "ec2:CreateSecurityGroup" BUILD NONE Always, "group of a run", Marked(&[SecurityGroup]);
    Sdk "ec2:CreateSecurityGroup" BUILD NONE Always, "VPC of the group", Used(&[Vpc]);
    Sdk "ec2:AuthorizeSecurityGroupIngress" BUILD NONE Always, "SSH to the instances of a run",
        Tagged(&[SecurityGroup]);
    Sdk "ec2:DeleteSecurityGroup" SWEEP SWEEP Always, "end of a run", Tagged(&[SecurityGroup]);
    Sdk "ec2:RunInstances" BUILD NONE Always, "instances of a run", Launched(&[Instance, Volume]);
    Sdk "ec2:RunInstances" BUILD NONE Always, "AMI and network of the instances",
        Used(&[Image, Snapshot, NetworkInterface, Subnet, SecurityGroup, KeyPair]);
    Sdk "ec2:TerminateInstances" SWEEP SWEEP Always, "end of a run", Tagged(&[Instance]);
    Sdk "ec2:DeleteVolume" SWEEP SWEEP Always, "leftovers of dead runs", Tagged(&[Volume]);
    Aws "iam:PassRole" BUILD NONE InstanceProfile, "instance profile of the builder", ProfileRoles;
    // Packer.
    Packer "ec2:DescribeInstanceStatus" BUILD NONE Sessions, "state of the build instance", Regions;
    Packer "ec2:StopInstances" BUILD NONE Always, "build instance before the AMI",
        Tagged(&[Instance]);
    Packer "ec2:CreateImage" BUILD NONE Always, "AMI of the build instance", Tagged(&[Instance]);
    Packer "ec2:CreateImage" BUILD NONE Always, "new AMI", Used(&[Image, Snapshot]);
    // Packer 1.6.6 describes the AMI before it tags it.
    Packer "ec2:ModifyImageAttribute" BUILD NONE Always, "description of the AMI",
        TaggedOrNew(&[Image]);
    Packer "ec2:CreateTags" BUILD NONE Always, "tags of the AMI and the build instance",
        Marked(&[Image, Snapshot, Instance, Volume, NetworkInterface]);
    Packer "iam:GetInstanceProfile" BUILD NONE InstanceProfile, "instance profile of the builder",
        InstanceProfiles;
    // SSH through SSM sessions.
    SessionTools "ssm:StartSession" BUILD NONE Sessions, "SSH to the instances of a run",
        SessionTargets;
    SessionTools "ssm:TerminateSession" BUILD NONE Sessions, "SSH to the instances of a run",
        OwnSessions;
    SessionTools "ssm:ResumeSession" BUILD NONE Sessions, "SSH to the instances of a run",
        OwnSessions;
    // Copies.
    Sdk "ec2:CopyImage" PUBLISH PUBLISH Copies, "new AMI", Marked(&[Snapshot]);
    // The original of a copy to another account has no tags there.
    Sdk "ec2:CopyImage" PUBLISH PUBLISH Copies, "original and new AMI", Used(&[Image]);
    Sdk "ec2:RunInstances" PUBLISH PUBLISH Copies, "dry run of a launch: copied AMI",
        Tagged(&[Image]);
    Sdk "ec2:RunInstances" PUBLISH PUBLISH Copies, "dry run of a launch",
        Used(&[Snapshot, Subnet, SecurityGroup]);
    Sdk "ec2:RunInstances" PUBLISH PUBLISH Copies, "dry run of a launch with tags",
        Launched(&[Instance, Volume, NetworkInterface]);
    Sdk "ec2:CreateTags" PUBLISH PUBLISH Copies, "dry run of a launch with tags",
        OnCreate(&[Instance, Volume, NetworkInterface]);
    // Encryption.
    Sdk "ec2:GetEbsEncryptionByDefault" BUILD NONE Accounts, "encryption of AMIs to share", Regions;
    Sdk "ec2:GetEbsDefaultKmsKeyId" BUILD NONE Accounts, "encryption of AMIs to share", Regions;
    Sdk "ec2:DescribeSnapshots" PUBLISH NONE Accounts, "encryption of AMIs to share", Regions;
    Sdk "kms:DescribeKey" PUBLISH NONE Accounts, "encryption of AMIs to share", Regions;
    Aws "kms:DescribeKey" PUBLISH PUBLISH Keys, "encryption of volumes and copies", Keys;
    Aws "kms:Decrypt" PUBLISH PUBLISH Keys, "encryption of volumes and copies", Keys;
    Aws "kms:ReEncryptFrom" PUBLISH PUBLISH Keys, "encryption of volumes and copies", Keys;
    Aws "kms:ReEncryptTo" PUBLISH PUBLISH Keys, "encryption of volumes and copies", Keys;
    Aws "kms:GenerateDataKeyWithoutPlaintext" PUBLISH PUBLISH Keys,
        "encryption of volumes and copies", Keys;
    Aws "kms:CreateGrant" PUBLISH PUBLISH Keys, "encryption of volumes and copies", Keys;
    Sdk "ec2:ModifyImageAttribute" PUBLISH PUBLISH Always, "IMDSv2 of new AMIs",
        Tagged(&[Image]);
    Sdk "ec2:ModifyImageAttribute" CHANGES NONE CopyAccounts, "permission for a copy in progress",
        Tagged(&[Image]);
    Sdk "ec2:ModifySnapshotAttribute" CHANGES NONE CopyAccounts, "permission for a copy in progress",
        Tagged(&[Snapshot]);
    // Shared AMIs. They have no tags in the accounts that launch them.
    Sdk "ec2:ModifyImageAttribute" PUBLISH NONE Shares, "launch permissions of shared AMIs",
        Tagged(&[Image]);
    Sdk "ec2:RunInstances" NONE PUBLISH Shares, "dry run of a launch: shared AMI", Used(&[Image]);
    Sdk "ec2:RunInstances" NONE PUBLISH Shares, "dry run of a launch",
        Used(&[Snapshot, Subnet, SecurityGroup]);
    Sdk "ec2:RunInstances" NONE PUBLISH Shares, "dry run of a launch with tags",
        Launched(&[Instance, Volume, NetworkInterface]);
    Sdk "ec2:CreateTags" NONE PUBLISH Shares, "dry run of a launch with tags",
        OnCreate(&[Instance, Volume, NetworkInterface]);
    Sdk "ssm:GetParametersByPath" NONE CHANGES Shares, "current AMIs of other accounts", Pointers;
    // Tags and pointers.
    Sdk "ec2:CreateTags" CHANGES CHANGES Always, "state of AMIs", Tagged(&[Image, Snapshot]);
    Sdk "ec2:DeleteTags" CHANGES CHANGES Always, "state of AMIs", Tagged(&[Image, Snapshot]);
    Sdk "ec2:CreateTags" BUILD NONE Always, "tags of new resources",
        OnCreate(&[Image, Snapshot, Instance, Volume, NetworkInterface, SecurityGroup, KeyPair]);
    Sdk "ec2:CreateTags" PROMOTE PUBLISH Copies, "tags of new copies", OnCreate(&[Image, Snapshot]);
    Sdk "ssm:PutParameter" CHANGES CHANGES Always, "current AMIs", Pointers;
    Aws "ssm:AddTagsToResource" CHANGES CHANGES Always, "tags of new parameters", Pointers;
    Sdk "ssm:DeleteParameter" CHANGES CHANGES Always, "undo, and AMIs without a version", Pointers;
    // Removal of AMIs.
    Sdk "ec2:DeregisterImage" CHANGES CHANGES Always, "undo, and retired AMIs", Tagged(&[Image]);
    Sdk "ec2:DeleteSnapshot" CHANGES CHANGES Always, "undo, and retired AMIs", Tagged(&[Snapshot]);
    Sdk "ec2:EnableImageDeprecation" PRUNE PRUNE Always, "retirement", Tagged(&[Image]);
    Sdk "ec2:DisableImageDeprecation" PRUNE PRUNE Always, "restore", Tagged(&[Image]);
    Sdk "ec2:DisableImage" PRUNE PRUNE Always, "retirement", Tagged(&[Image]);
    Sdk "ec2:EnableImage" PRUNE PRUNE Always, "restore", Tagged(&[Image]);
    Sdk "ec2:ModifyImageAttribute" PRUNE PRUNE Always, "launch permissions of restored AMIs",
        Tagged(&[Image]);
    // Store. S3 reports a missing object as denied if the permission to list has a condition on the
    // prefix.
    Store "s3:ListBucket" ALL NONE Bucket, "recipes, facts, reports and locks", Bucket;
    Store "s3:GetObject" ALL NONE Bucket, "recipes, facts, reports and locks", Objects;
    Store "s3:PutObject" CHANGES NONE Bucket, "recipes, facts, reports and locks", Objects;
    Store "s3:DeleteObject" CHANGES NONE Bucket, "recipes, facts, reports and locks", Objects;
}
