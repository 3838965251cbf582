//! Owns the shape of `bakeline.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Text, TextMap};
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;

/// bakeline.yaml: the settings of one image catalog.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bakeline.yaml")]
pub(crate) struct RawSettings {
    /// The catalog's name: it tells this catalog's AMIs from those of others in the same account.
    #[schemars(required, regex(pattern = syntax::NAME.pattern))]
    pub(crate) name: Option<Text>,
    /// The Regions images are released to; they are built in the first.
    #[schemars(required, length(min = 1), inner(regex(pattern = syntax::REGION.pattern)))]
    pub(crate) regions: Option<Vec<Text>>,
    /// The environment a lookup means when none is given; one of `environments`.
    pub(crate) default_environment: Option<Text>,
    /// The ladder that images climb, lowest rung first; `Test` and `Prod` when absent.
    #[schemars(length(min = 1))]
    pub(crate) environments: Option<Vec<Spanned<RawEnvironment>>>,
    /// How build and test instances run.
    pub(crate) builder: Option<RawBuilder>,
    /// The keys of the tags that people read.
    pub(crate) tag_keys: Option<RawTagKeys>,
    /// How much is kept, unless an environment says otherwise.
    pub(crate) retention: Option<Spanned<RawRetention>>,
    /// What stops a prune that would remove too much.
    pub(crate) brakes: Option<RawBrakes>,
    /// How old an image may get before it is built again, such as `30d`; for ever when absent.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) max_age: Option<Text>,
    /// After how many builds on itself an image starts from its source again; 10 when absent.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) rebase_after: Option<u32>,
    /// Where recipes, facts, reports and locks are kept; the folder `.bakeline/store` when absent.
    pub(crate) store: Option<RawStore>,
    /// For how long a lock is held without a sign of life, such as `15m`.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) lease: Option<Text>,
    /// What a failed image does to the others; `stop` when absent.
    pub(crate) on_failure: Option<RawOnFailure>,
    /// Which failed checks keep an image from being released; all of them when absent.
    pub(crate) checks: Option<RawGate>,
    /// Who is told about a run.
    #[serde(default)]
    pub(crate) notifiers: Vec<RawNotifier>,
}

/// One rung of the ladder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Environment")]
pub(crate) struct RawEnvironment {
    /// Its name, such as `Test`.
    #[schemars(required, regex(pattern = syntax::ENVIRONMENT.pattern))]
    pub(crate) name: Option<Text>,
    /// The value of the environment tag; the name when absent.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) tag_value: Option<Text>,
    /// The Regions it exists in; all of the catalog's when absent.
    #[schemars(length(min = 1), inner(regex(pattern = syntax::REGION.pattern)))]
    pub(crate) regions: Option<Vec<Text>>,
    /// The accounts it is for; the builder's own when absent.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::ACCOUNT.pattern)))]
    pub(crate) accounts: Vec<Text>,
    /// The role to assume there; in each of several accounts the one of the same name.
    #[schemars(regex(pattern = syntax::ROLE.pattern))]
    pub(crate) role: Option<Text>,
    /// How much is kept of what reached this environment; the catalog's `retention` when absent.
    pub(crate) retention: Option<Spanned<RawRetention>>,
    /// What a version must have behind it before it is promoted here.
    pub(crate) gates: Option<RawGates>,
}

/// How build and test instances run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Builder")]
pub(crate) struct RawBuilder {
    /// The EC2 instance type; `t3.small` when absent.
    #[schemars(regex(pattern = syntax::INSTANCE_TYPE.pattern))]
    pub(crate) instance_type: Option<Text>,
    /// The subnet; the default subnet of the default VPC when absent.
    #[schemars(regex(pattern = syntax::SUBNET.pattern))]
    pub(crate) subnet: Option<Text>,
    /// The name of an instance profile for the instances.
    #[schemars(regex(pattern = syntax::INSTANCE_PROFILE.pattern))]
    pub(crate) instance_profile: Option<Text>,
    /// Whether instances get, and are reached at, a public address; `false` when absent.
    pub(crate) public_address: Option<bool>,
    /// Tags an organisation demands on everything temporary.
    #[serde(default)]
    pub(crate) tags: TextMap,
    /// How instances are reached; SSH from the private address ranges when absent.
    pub(crate) access: Option<Spanned<RawAccess>>,
}

/// How instances are reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Access")]
pub(crate) enum RawAccess {
    /// SSH through an SSM session; no ingress at all.
    Ssm,
    /// SSH, let in from these address ranges.
    Cidrs(#[schemars(length(min = 1))] Vec<Text>),
}

/// The keys of the tags that people read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TagKeys")]
pub(crate) struct RawTagKeys {
    /// The key of the tag that names the environment; `Environment` when absent.
    #[schemars(length(min = 1, max = 128))]
    pub(crate) environment: Option<Text>,
}

/// How much is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retention")]
pub(crate) struct RawRetention {
    /// How many of the newest versions of each image stay in the lowest environment (3 when absent); in an environment
    /// above it only if said there: otherwise its `reserve` counts.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) keep: Option<u32>,
    /// Versions younger than this many days stay; 0 when absent.
    #[schemars(range(min = 0, max = 3650))]
    pub(crate) days: Option<u32>,
    /// How many promoted versions stay in each environment above the lowest, to roll back to; 2 when absent.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) reserve: Option<u32>,
    /// How long an AMI stays deprecated before it is disabled; `7d` when absent, `0s` for no time at all.
    #[schemars(regex(pattern = syntax::WAIT.pattern))]
    pub(crate) disable_after: Option<Text>,
    /// How long an AMI stays disabled before it is deregistered; `7d` when absent, `0s` for no time at all.
    #[schemars(regex(pattern = syntax::WAIT.pattern))]
    pub(crate) deregister_after: Option<Text>,
}

/// Which failed checks keep an image from being released. An error always does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gate")]
pub(crate) struct RawGate {
    /// The impact from which a failure counts; those below it are reported as tolerated. 0.0 when absent: each counts.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) fail_from_impact: Option<f64>,
}

/// What stops a prune that would remove too much.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Brakes")]
pub(crate) struct RawBrakes {
    /// The most AMIs that one prune may move down the ladder; 50 when absent.
    #[schemars(range(min = 1, max = 50_000))]
    pub(crate) most: Option<u32>,
    /// The largest share of the catalog's AMIs, in percent, that one prune may move down; 50 when absent.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) percent: Option<u32>,
}

/// What a version must have behind it before it is promoted to an environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Gates")]
pub(crate) struct RawGates {
    /// How long it must have been current on the rung below, such as `2d`; no time when absent.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) soak: Option<Text>,
    /// Whether the exact parent version must be there already; `true` when absent.
    pub(crate) parent: Option<bool>,
}

/// Where recipes, facts, reports and locks are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Store")]
pub(crate) enum RawStore {
    /// A folder, absolute or relative to where bakeline runs.
    Path(#[schemars(regex(pattern = syntax::FOLDER.pattern))] Text),
    /// An S3 bucket.
    S3(Spanned<RawBucket>),
}

/// An S3 bucket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Bucket")]
pub(crate) struct RawBucket {
    /// Its name.
    #[schemars(required, regex(pattern = syntax::BUCKET.pattern))]
    pub(crate) bucket: Option<Text>,
    /// What all keys begin with, such as `teams/platform`.
    #[schemars(regex(pattern = syntax::PATH.pattern))]
    pub(crate) prefix: Option<Text>,
    /// Its Region; the catalog's first when absent.
    #[schemars(regex(pattern = syntax::REGION.pattern))]
    pub(crate) region: Option<Text>,
}

/// What a failed image does to the others.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnFailure")]
pub(crate) enum RawOnFailure {
    /// Cancel what runs, start nothing new.
    Stop,
    /// Hold back only its descendants.
    Continue,
}

/// Who is told about a run.
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
    /// The environment variable that holds the webhook's URL; the URL itself is a secret and never written here.
    #[schemars(required, regex(pattern = syntax::VARIABLE.pattern))]
    pub(crate) webhook_env: Option<Text>,
}
