//! Defines the keys of `bakeline.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::kms::RawKmsKey;
use super::launch::RawLaunch;
use super::text::{TagMap, Text};
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;

/// bakeline.yaml: the settings of one image catalog.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bakeline.yaml")]
pub(crate) struct RawSettings {
    /// Name of the catalog. Distinguishes its AMIs from others in the same account.
    #[schemars(required, regex(pattern = syntax::NAME.pattern))]
    pub(crate) name: Option<Text>,
    /// ID of the account in which images are built. Commands refuse the credentials of another
    /// account. Default: the account of the credentials.
    #[schemars(regex(pattern = syntax::ACCOUNT.pattern))]
    pub(crate) account: Option<Text>,
    /// Regions that images are released to. Images are built in the first.
    #[schemars(required, length(min = 1), inner(regex(pattern = syntax::REGION.pattern)))]
    pub(crate) regions: Option<Vec<Text>>,
    /// Environment of a lookup without an environment. Must be in `environments`.
    pub(crate) default_environment: Option<Text>,
    /// Environments in the order of promotion. Default: `Test` and `Prod`.
    #[schemars(length(min = 1))]
    pub(crate) environments: Option<Vec<Spanned<RawEnvironment>>>,
    /// Variables for all images. An image uses one as `${NAME}`. Values are text, numbers,
    /// booleans, lists or maps, and must not be secrets.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    pub(crate) variables: BTreeMap<String, serde_json::Value>,
    /// Settings of build and test instances.
    pub(crate) builder: Option<RawBuilder>,
    /// Keys of tags.
    pub(crate) tag_keys: Option<RawTagKeys>,
    /// Retention for environments without their own.
    pub(crate) retention: Option<Spanned<RawRetention>>,
    /// Limits of one prune.
    pub(crate) brakes: Option<RawBrakes>,
    /// Maximum age of an image before it is built again, such as `30d`. Default: no limit.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) max_age: Option<Text>,
    /// Number of builds on top of the previous version before a build starts from the source again.
    /// Default: 10.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) rebase_after: Option<u32>,
    /// Location of the store for recipes, facts, reports and locks. Default: the directory
    /// `.bakeline/store` next to bakeline.yaml.
    pub(crate) store: Option<RawStore>,
    /// Validity of a lock without a renewal, such as `1h30m`. Default: 10 minutes.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) lease: Option<Text>,
    /// Behavior after a failed image. Default: `stop`. An image that `plan` shows as blocked always stops a
    /// release before its first build.
    pub(crate) on_failure: Option<RawOnFailure>,
    /// Rule for failed checks that block a release. Default: all of them.
    pub(crate) checks: Option<RawGate>,
    /// Rules for the scripts of images.
    pub(crate) scripts: Option<RawScriptRules>,
    /// Receivers of notifications.
    #[serde(default)]
    pub(crate) notifiers: Vec<RawNotifier>,
}

/// Rules for the scripts of images.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScriptRules")]
pub(crate) struct RawScriptRules {
    /// True if a shell script without `set -e` is an error. Default: `false`, so that it is a
    /// warning.
    pub(crate) require_errexit: Option<bool>,
}

/// An environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Environment")]
pub(crate) struct RawEnvironment {
    /// Name, such as `Test`.
    #[schemars(required, regex(pattern = syntax::ENVIRONMENT.pattern))]
    pub(crate) name: Option<Text>,
    /// Value of the environment tag. Default: the name.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) tag_value: Option<Text>,
    /// Regions of the environment. Default: all Regions of the catalog.
    #[schemars(length(min = 1), inner(regex(pattern = syntax::REGION.pattern)))]
    pub(crate) regions: Option<Vec<Text>>,
    /// Account IDs of the environment. Default: the account of the builder.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::ACCOUNT.pattern)))]
    pub(crate) accounts: Vec<Text>,
    /// Way in which the accounts of the environment get its AMIs. Default: `copy`.
    pub(crate) distribute: Option<Spanned<RawDistribute>>,
    /// ARNs of organizations whose accounts may launch the AMIs. Requires `distribute: share`.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::ORGANIZATION.pattern)))]
    pub(crate) organizations: Vec<Text>,
    /// ARNs of organizational units whose accounts may launch the AMIs. Requires `distribute: share`.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::ORGANIZATIONAL_UNIT.pattern)))]
    pub(crate) organizational_units: Vec<Text>,
    /// Role to assume in the account. With several accounts, the role of this name in each.
    #[schemars(regex(pattern = syntax::ROLE.pattern))]
    pub(crate) role: Option<Text>,
    /// KMS key that encrypts the copies of the environment, or a map of its Regions to keys.
    /// Default: the key of EBS encryption by default, if the account encrypts or the AMI is
    /// encrypted.
    pub(crate) kms_key: Option<Spanned<RawKmsKey>>,
    /// Trial launch of AMIs at the locations of the environment besides home, before they become
    /// current.
    pub(crate) launch: Option<RawLaunch>,
    /// Role to assume in the account for commands that change nothing, such as `plan`. Default:
    /// `role`, in a session that is limited to reads.
    #[schemars(regex(pattern = syntax::ROLE.pattern))]
    pub(crate) read_role: Option<Text>,
    /// External ID that the trust policies of the roles require.
    #[schemars(regex(pattern = syntax::EXTERNAL_ID.pattern))]
    pub(crate) external_id: Option<Text>,
    /// Retention of the environment. Default: `retention` of the catalog.
    pub(crate) retention: Option<Spanned<RawRetention>>,
    /// Promotion gates of the environment.
    pub(crate) gates: Option<RawGates>,
}

/// Way in which accounts get AMIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Distribute")]
pub(crate) enum RawDistribute {
    /// Each account gets its own copies.
    Copy,
    /// The AMIs stay in the account of the builder, and the accounts may launch them.
    Share,
}

/// Settings of build and test instances.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Builder")]
pub(crate) struct RawBuilder {
    /// EC2 instance type for the images of its architecture. Default: `t3.small` for x86_64 and
    /// `t4g.small` for arm64.
    #[schemars(regex(pattern = syntax::INSTANCE_TYPE.pattern))]
    pub(crate) instance_type: Option<Text>,
    /// EC2 instance types, the preferred ones first, instead of `instance_type`. An image uses those
    /// of its architecture; the next one is used if the one before has no capacity.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::INSTANCE_TYPE.pattern)))]
    pub(crate) instance_types: Vec<Text>,
    /// Subnet. Default: the default subnet of the default VPC.
    #[schemars(regex(pattern = syntax::SUBNET.pattern))]
    pub(crate) subnet: Option<Text>,
    /// Subnets, instead of `subnet`. The images are spread over them; another one is used if that of
    /// an image has no capacity.
    #[serde(default)]
    #[schemars(length(min = 1), inner(regex(pattern = syntax::SUBNET.pattern)))]
    pub(crate) subnets: Vec<Text>,
    /// Name of an instance profile for the instances.
    #[schemars(regex(pattern = syntax::INSTANCE_PROFILE.pattern))]
    pub(crate) instance_profile: Option<Text>,
    /// True if instances get a public address and are reached at it. Default: `false`.
    pub(crate) public_address: Option<Spanned<bool>>,
    /// IMDS versions of instances that start from the AMIs. Default: `v2`.
    pub(crate) imds: Option<RawImds>,
    /// Tags for all temporary resources.
    #[serde(default)]
    pub(crate) tags: TagMap,
    /// KMS key that encrypts the volumes of builds, and so the AMIs. A map of Regions to keys also
    /// encrypts the copies in the other Regions of the builder's account. Default: the encryption
    /// by default of the account.
    pub(crate) kms_key: Option<Spanned<RawKmsKey>>,
    /// Access to the instances. Default: SSH from the private address ranges.
    pub(crate) access: Option<Spanned<RawAccess>>,
    /// Longest time of a build, such as `90m`, at most `10h`. After it, the build fails and Packer cleans
    /// up. Default: 4 hours.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) timeout: Option<Text>,
}

/// Versions of the instance metadata service (IMDS).
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Imds")]
pub(crate) enum RawImds {
    /// Instances require IMDSv2 unless their launch sets something else.
    V2,
    /// Instances accept IMDSv1 too, unless their launch or account sets something else.
    Optional,
}

/// Access to instances.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Access")]
pub(crate) enum RawAccess {
    /// SSH through an SSM session, without ingress.
    Ssm,
    /// SSH from these address ranges.
    Cidrs(#[schemars(length(min = 1))] Vec<Text>),
}

/// Keys of tags.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TagKeys")]
pub(crate) struct RawTagKeys {
    /// Key of the environment tag. Default: `Environment`.
    #[schemars(length(min = 1, max = 128))]
    pub(crate) environment: Option<Text>,
}

/// Retention of AMIs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retention")]
pub(crate) struct RawRetention {
    /// Number of newest versions of each image to keep in the lowest environment. Default: 3.
    /// Environments above it use `reserve` unless they set `keep`.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) keep: Option<u32>,
    /// Minimum age in days of versions to retire. Default: 0.
    #[schemars(range(min = 0, max = 3650))]
    pub(crate) days: Option<u32>,
    /// Number of promoted versions to keep for a rollback, in each environment above the lowest.
    /// Default: 2.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) reserve: Option<u32>,
    /// Waiting time between deprecation and disabling. Default: `7d`. `0s` disables the wait.
    #[schemars(regex(pattern = syntax::DELAY.pattern))]
    pub(crate) disable_after: Option<Text>,
    /// Waiting time between disabling and deregistration. Default: `7d`. `0s` disables the wait.
    #[schemars(regex(pattern = syntax::DELAY.pattern))]
    pub(crate) deregister_after: Option<Text>,
}

/// Rule for failed checks that block a release. Errors always block.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gate")]
pub(crate) struct RawGate {
    /// Lowest impact of a failure that blocks a release. Failures below it are reported as
    /// tolerated. Default: 0.0, so that every failure blocks.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) fail_from_impact: Option<f64>,
}

/// Limits of one prune.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Brakes")]
pub(crate) struct RawBrakes {
    /// Largest number of AMIs that one prune may move. Default: 50.
    #[schemars(range(min = 1, max = 50_000))]
    pub(crate) most: Option<u32>,
    /// Largest share of the AMIs of the catalog in percent that one prune may move. Default: 50.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) percent: Option<u32>,
}

/// Promotion gates of an environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gates")]
pub(crate) struct RawGates {
    /// Time that the version must have been current in the environment below, such as `2d`.
    /// Default: no wait.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) soak: Option<Text>,
    /// True if the exact parent version must be in the environment. Default: `true`.
    pub(crate) parent: Option<bool>,
}

/// Location of the store for recipes, facts, reports and locks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Store")]
pub(crate) enum RawStore {
    /// A directory, absolute or relative to bakeline.yaml.
    Path(#[schemars(regex(pattern = syntax::FOLDER.pattern))] Text),
    /// An S3 bucket.
    S3(Spanned<RawBucket>),
}

/// An S3 bucket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bucket")]
pub(crate) struct RawBucket {
    /// Name of the bucket.
    #[schemars(required, regex(pattern = syntax::BUCKET.pattern))]
    pub(crate) bucket: Option<Text>,
    /// Prefix of all keys, such as `teams/platform`.
    #[schemars(regex(pattern = syntax::PATH.pattern))]
    pub(crate) prefix: Option<Text>,
    /// Region of the bucket. Default: the first Region of the catalog.
    #[schemars(regex(pattern = syntax::REGION.pattern))]
    pub(crate) region: Option<Text>,
    /// Server-side encryption of the objects. Default: that of the bucket.
    pub(crate) sse: Option<RawSse>,
    /// KMS key for `sse: aws:kms`: a key ID, `alias/NAME`, or an ARN. Default: the key of the bucket.
    #[schemars(regex(pattern = syntax::KMS_KEY.pattern))]
    pub(crate) kms_key: Option<Text>,
    /// URL of the S3 endpoint. Default: that of AWS in the Region.
    #[schemars(regex(pattern = syntax::ENDPOINT.pattern))]
    pub(crate) endpoint: Option<Text>,
    /// Checksum of the objects, which a bucket with Object Lock requires. Default: none.
    pub(crate) checksum: Option<RawChecksum>,
}

/// Server-side encryption of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Sse")]
pub(crate) enum RawSse {
    /// A KMS key (SSE-KMS).
    #[serde(rename = "aws:kms")]
    Kms,
    /// Keys that S3 manages (SSE-S3).
    #[serde(rename = "AES256")]
    Aes256,
}

/// Checksum of objects.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Checksum")]
pub(crate) enum RawChecksum {
    /// SHA-256.
    Sha256,
}

/// Behavior for other images after a failure.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnFailure")]
pub(crate) enum RawOnFailure {
    /// Cancel running images and start no others.
    Stop,
    /// Skip only the descendants.
    Continue,
}

/// Receivers of notifications.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Notifier")]
pub(crate) enum RawNotifier {
    /// A Slack incoming webhook.
    Slack(RawSlack),
}

/// A Slack incoming webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Slack")]
pub(crate) struct RawSlack {
    /// Environment variable with the URL of the webhook. The URL is a secret and must not be
    /// committed.
    #[schemars(required, regex(pattern = syntax::VARIABLE.pattern))]
    pub(crate) webhook_env: Option<Text>,
}
