//! Owns what a plan is made of: steps as plain data, so that they can be printed, journalled and replayed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::verdict::Verdict;
use crate::lifecycle::{Record, current, tags};
use crate::model::{
    AmiId, EnvName, ImageName, Region, RunId, State, Tags, Temporary, Timestamp, Version,
};

/// Identifies a step within a plan: `<scope>/<verb>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An AMI that is known now, or the one that an earlier step will make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmiRef {
    /// Exists already.
    Known(AmiId),
    /// The output of this build step.
    MadeBy(StepId),
}

/// An AMI that stops being current, with the tags that tell of it before and after; an empty value is no tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The AMI.
    pub ami: AmiId,
    /// The tags now.
    pub before: Tags,
    /// The tags afterwards.
    pub after: Tags,
}

/// One pointer move: `to` becomes what `env` points at; `from` are the AMIs that lose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The environment.
    pub env: EnvName,
    /// The SSM parameter that publishes it.
    pub pointer: String,
    /// What it points at afterwards.
    pub to: AmiRef,
    /// The AMIs that are current there now.
    pub from: Vec<Holder>,
    /// Tags of `to` that the decision rests on, as they are before the move.
    pub before: Tags,
    /// Tags that are set on `to` together with the move.
    pub tags: Tags,
    /// Tag keys that are removed from `to`.
    pub untag: Vec<String>,
}

/// What `record` says after it stopped being current in `env`.
#[must_use]
pub fn holder(record: &Record<'_>, env: &EnvName) -> Holder {
    let mut after = record.current.clone();
    after.remove(env);
    let current = |text: String| Tags::from([(tags::CURRENT.to_owned(), text)]);
    let before = current(record.tag(tags::CURRENT).to_owned());
    Holder {
        ami: record.ami.id.clone(),
        before,
        after: current(current::format(&after)),
    }
}

/// One effect, with everything it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make the run's key pair for one image.
    CreateKeyPair { name: String },
    /// Make the run's security group for one image.
    CreateGroup { name: String },
    /// Render, `packer validate`, `packer build`: makes the AMI `ami_name` from `base`.
    Build {
        image: ImageName,
        version: Version,
        ami_name: String,
        base: AmiRef,
        tags: Tags,
    },
    /// Tag a new AMI as candidate, with everything known about it.
    TagCandidate { ami: AmiRef, tags: Tags },
    /// Start an instance of the AMI.
    Boot { image: ImageName, ami: AmiRef },
    /// Collect facts from the booted instance and judge the boot-phase controls.
    CheckBoot { image: ImageName, instance: StepId },
    /// End the instance.
    Terminate { instance: StepId },
    /// Delete the run's security group.
    DeleteGroup { name: String },
    /// Delete the run's key pair.
    DeleteKeyPair { name: String },
    /// Make the AMI found: its state, its environment, the pointer.
    MoveCurrent { moves: Vec<Move> },
    /// First rung of the way out: EC2 says that it is deprecated.
    Deprecate { ami: AmiId, was: State },
    /// Second rung: nobody can launch it; launch permissions are recorded first, because disabling drops them.
    Disable { ami: AmiId, shared_ok: bool },
    /// Last rung: deregister the AMI and delete its snapshots.
    Deregister { ami: AmiId, shared_ok: bool },
    /// Back up the ladder.
    Restore { ami: AmiId },
    /// Make nothing point at the AMI: its `bakeline:current` tag, which is `current` now, and these parameters.
    Unpoint {
        ami: AmiId,
        current: String,
        pointers: Vec<String>,
    },
    /// Judge the controls again on a booted instance of a released version.
    CheckAgain {
        image: ImageName,
        version: Version,
        instance: StepId,
    },
    /// Write down that a released AMI passed other controls than when it was built.
    Retag {
        image: ImageName,
        version: Version,
        ami: AmiId,
        before: String,
        after: String,
        checked: Timestamp,
    },
    /// Ask a booted instance of a released version for pending updates, and store the answer.
    Probe {
        image: ImageName,
        version: Version,
        ami: AmiId,
        instance: StepId,
    },
    /// Collect from a booted instance what the controls of an image need, and judge nothing.
    Inspect { image: ImageName, instance: StepId },
    /// Throw away the AMI of this name that this run built.
    Discard { ami_name: String },
    /// Remove a temporary thing that a dead run left.
    Sweep { thing: Temporary },
    /// Let another account copy an AMI.
    Share { ami: AmiRef, account: String },
    /// No longer let it, once no copy to it is under way.
    Unshare { ami: AmiRef, account: String },
    /// Copy an AMI from another Region or account under its own name, and wait until it can be used.
    Copy {
        source: AmiRef,
        from: Region,
        name: String,
    },
    /// Ask EC2, without starting anything, whether an instance of it would start.
    Launchable { ami: AmiRef },
    /// Set tags of AMIs in one call (an empty value removes one); refuses when `before` holds no longer.
    Mark {
        amis: Vec<AmiId>,
        before: Tags,
        tags: Tags,
    },
    /// Withdraw AMIs in one location: mark them as revoked, make other AMIs current, and delete the pointers for which no
    /// version is left.
    Withdraw {
        amis: Vec<AmiId>,
        moves: Vec<Move>,
        unpublish: Vec<String>,
    },
    /// Make the SSM parameter say what the tags say.
    Publish { pointer: String, ami: AmiId },
    /// Delete the SSM parameter: nothing is current any more.
    Unpublish { pointer: String },
    /// Write an object into the store, or again.
    Remember { key: String, text: String },
    /// Remove an object of the store that says what is not so.
    Forget { key: String },
    /// Nothing can be done at a location that could not be read.
    Unread { why: String },
}

impl Action {
    /// What people call it.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateKeyPair { .. } => "create key pair",
            Self::CreateGroup { .. } => "create security group",
            Self::Build { .. } => "build with Packer",
            Self::TagCandidate { .. } => "tag candidate",
            Self::Boot { .. } => "boot an instance",
            Self::CheckBoot { .. } => "run boot checks",
            Self::Terminate { .. } => "terminate the instance",
            Self::DeleteGroup { .. } => "delete security group",
            Self::DeleteKeyPair { .. } => "delete key pair",
            Self::MoveCurrent { .. } => "move current",
            Self::Deprecate { .. } => "deprecate",
            Self::Disable { .. } => "disable",
            Self::Deregister { .. } => "deregister",
            Self::Restore { .. } => "restore",
            Self::Unpoint { .. } => "remove the pointers",
            Self::CheckAgain { .. } => "run boot checks again",
            Self::Retag { .. } => "write down the checks",
            Self::Probe { .. } => "ask for updates",
            Self::Inspect { .. } => "collect facts",
            Self::Sweep { .. } => "remove",
            Self::Discard { .. } => "throw away",
            Self::Share { .. } => "share",
            Self::Unshare { .. } => "stop sharing",
            Self::Copy { .. } => "copy",
            Self::Launchable { .. } => "try a launch",
            Self::Mark { .. } => "tag",
            Self::Withdraw { .. } => "withdraw",
            Self::Publish { .. } => "publish",
            Self::Unpublish { .. } => "unpublish",
            Self::Remember { .. } => "write to the store",
            Self::Forget { .. } => "remove from the store",
            Self::Unread { .. } => "read",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// What fails, is undone and is reported together: an image's name, `image@location` for what is done at a further
    /// location, or an AMI's id when pruning.
    pub scope: String,
    /// The Region it acts in.
    pub region: Region,
    /// The account it acts in, where it is not the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What must have succeeded before.
    pub needs: Vec<StepId>,
    /// Why it is in the plan.
    pub reason: String,
    /// What it does.
    pub action: Action,
}

/// The decision about one image, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The image.
    pub image: ImageName,
    /// What is done.
    pub verdict: Verdict,
    /// Why, most important first; never empty.
    pub reasons: Vec<String>,
    /// The version that will exist, or that is kept.
    pub version: Option<Version>,
    /// What it is built on, in words.
    pub base: Option<String>,
    /// Why it is built on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_because: Option<String>,
    /// The AMI that is kept.
    pub ami: Option<AmiId>,
}

/// What will be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this shape.
    pub schema: u32,
    /// The run it is for.
    pub run: RunId,
    /// When it was decided.
    pub made: Timestamp,
    /// One line for each image asked for, parents first.
    pub decisions: Vec<Decision>,
    /// The steps, each after all it needs.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether a scope is a further location of an image: its failure holds nothing else up.
    #[must_use]
    pub fn is_aside(scope: &str) -> bool {
        scope.contains('@')
    }

    /// The scopes in order of first appearance, with the scopes each waits for.
    #[must_use]
    pub fn scopes(&self) -> Vec<(&str, Vec<&str>)> {
        let owner: BTreeMap<&StepId, &str> = self
            .steps
            .iter()
            .map(|s| (&s.id, s.scope.as_str()))
            .collect();
        let mut out: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &self.steps {
            let position = *positions.entry(&step.scope).or_insert_with(|| {
                out.push((&step.scope, Vec::new()));
                out.len() - 1
            });
            for needed in step.needs.iter().filter_map(|n| owner.get(n)) {
                if *needed != step.scope && !out[position].1.contains(needed) {
                    out[position].1.push(needed);
                }
            }
        }
        out
    }
}
