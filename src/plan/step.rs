//! Defines plans and steps as plain data that can be printed, journaled and replayed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scope::Scope;
pub use super::step_id::StepId;
pub use super::verdict::PlanVerdict;
use crate::lifecycle::{Record, current, tags};
use crate::model::{
    AmiId, EnvName, ImageName, Region, RunId, State, Tags, TemporaryResource, Timestamp, Version,
};

/// Existing AMI, or the AMI that an earlier step creates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmiRef {
    /// Existing AMI.
    Known(AmiId),
    /// Output of this build step.
    MadeBy(StepId),
}

impl AmiRef {
    /// Returns the ID of an existing AMI.
    #[must_use]
    pub fn known(&self) -> Option<&AmiId> {
        match self {
            Self::Known(id) => Some(id),
            Self::MadeBy(_) => None,
        }
    }
}

/// AMI that stops being current, with its tags before and after. An empty value means no tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousCurrent {
    /// ID of the AMI.
    pub ami: AmiId,
    /// Tags before the move.
    pub before: Tags,
    /// Tags after the move.
    pub after: Tags,
}

/// Move of one pointer: `to` becomes current in `env`, and the AMIs in `from` stop being current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Environment of the pointer.
    pub env: EnvName,
    /// SSM parameter that publishes the AMI.
    pub pointer: String,
    /// AMI after the move.
    pub to: AmiRef,
    /// AMIs that are current there before the move.
    pub from: Vec<PreviousCurrent>,
    /// Tags of `to` that the decision depends on, with their values before the move.
    pub before: Tags,
    /// Tags that are set on `to` together with the move.
    pub tags: Tags,
    /// Tag keys that are removed from `to`.
    pub untag: Vec<String>,
}

impl Move {
    /// Returns the move with the time at which it happens, in seconds, instead of the time of the
    /// plan. A later time stays: it is later than that of the previous version.
    #[must_use]
    pub fn starting_at(&self, time: Timestamp) -> Self {
        let mut out = self.clone();
        let Ok(time) = Timestamp::from_second(time.as_second()) else {
            return out;
        };
        raise_times(&self.before, &mut out.tags, time);
        // A rollback marks the versions with the same time.
        for holder in &mut out.from {
            raise_times(&holder.before, &mut holder.after, time);
        }
        out
    }
}

/// Sets the times that tags have in addition to those `before` a move.
fn raise_times(before: &Tags, after: &mut Tags, time: Timestamp) {
    for key in [tags::CURRENT, tags::ROLLED_BACK] {
        if let Some(text) = after.get_mut(key) {
            let known = before.get(key).map_or("", String::as_str);
            *text = current::raise_new_times(text, known, time);
        }
    }
}

/// Launch permissions of one AMI for the receivers of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchGrant {
    /// The AMI.
    pub ami: AmiRef,
    /// Environment of the receivers.
    pub env: EnvName,
    /// Account IDs, and ARNs of organizations and organizational units.
    pub to: Vec<String>,
}

/// Returns the tags of `record` before and after it stops being current in `env`.
#[must_use]
pub fn previous_current(record: &Record<'_>, env: &EnvName) -> PreviousCurrent {
    let mut after = record.current.clone();
    after.remove(env);
    let current = |text: String| Tags::from([(tags::CURRENT.to_owned(), text)]);
    let before = current(record.tag(tags::CURRENT).to_owned());
    PreviousCurrent {
        ami: record.ami.id.clone(),
        before,
        after: current(current::format(&after)),
    }
}

/// One effect with all its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create the key pair of the run for one image.
    CreateKeyPair { name: String },
    /// Create the security group of the run for one image.
    CreateGroup { name: String },
    /// Build the AMI `ami_name` from `base` with Packer: render, validate, build.
    Build {
        image: ImageName,
        version: Version,
        ami_name: String,
        base: AmiRef,
        tags: Tags,
    },
    /// Tag a new AMI as candidate, with all its tags.
    TagCandidate { ami: AmiRef, tags: Tags },
    /// Continue with a candidate of an earlier run. The step fails if `before` no longer matches.
    AdoptCandidate {
        image: ImageName,
        ami: AmiId,
        ami_name: String,
        before: Tags,
    },
    /// Start an instance of the AMI.
    Boot { image: ImageName, ami: AmiRef },
    /// Collect facts from the booted instance and judge the boot-phase controls.
    CheckBoot { image: ImageName, instance: StepId },
    /// Terminate the instance.
    Terminate { instance: StepId },
    /// Delete the run's security group.
    DeleteGroup { name: String },
    /// Delete the run's key pair.
    DeleteKeyPair { name: String },
    /// Release the AMI: set its state and environment, and move the pointer.
    MoveCurrent { moves: Vec<Move> },
    /// Deprecate the AMI in EC2: the first retirement stage.
    Deprecate { ami: AmiId, was: State },
    /// Disable launches of the AMI: the second retirement stage. Launch permissions are recorded
    /// first, because disabling removes them.
    Disable { ami: AmiId, shared_ok: bool },
    /// Deregister the AMI and delete its snapshots: the last retirement stage.
    Deregister { ami: AmiId, shared_ok: bool },
    /// Undo the retirement of the AMI.
    Restore { ami: AmiId },
    /// Remove the `bakeline:current` tag of the AMI, whose value is in `current`, and the SSM
    /// parameters in `pointers`.
    #[serde(rename = "unpoint")]
    ClearPointers {
        ami: AmiId,
        current: String,
        pointers: Vec<String>,
    },
    /// Judge the controls again on an instance of a released version.
    #[serde(rename = "check_again")]
    Recheck {
        image: ImageName,
        version: Version,
        instance: StepId,
    },
    /// Record on a released AMI that it passed a recheck of changed controls.
    Retag {
        image: ImageName,
        version: Version,
        ami: AmiId,
        before: String,
        after: String,
        checked: Timestamp,
    },
    /// Look for pending updates on an instance of a released version, and store the result.
    Probe {
        image: ImageName,
        version: Version,
        ami: AmiId,
        instance: StepId,
    },
    /// Collect the facts for the controls of an image from an instance, without a verdict.
    Inspect { image: ImageName, instance: StepId },
    /// Deregister the AMI of this name that this run built.
    Discard { ami_name: String },
    /// Remove a temporary resource that an ended run left.
    Sweep {
        #[serde(rename = "thing")]
        resource: TemporaryResource,
    },
    /// Allow another account to copy an AMI.
    Share { ami: AmiRef, account: String },
    /// Revoke the copy permission of another account when no copy to it is in progress.
    Unshare { ami: AmiRef, account: String },
    /// Allow the receivers of environments to launch AMIs.
    AllowLaunch { grants: Vec<LaunchGrant> },
    /// Remove launch permissions that an interrupted run left.
    DisallowLaunch { grants: Vec<LaunchGrant> },
    /// Set the SSM parameter in an account that launches a shared AMI, when the account can see the
    /// AMI. `previous` is the value before.
    PublishShared {
        env: EnvName,
        pointer: String,
        ami: AmiRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<AmiId>,
        /// True if a dry run of a launch comes first.
        launch: bool,
    },
    /// Copy an AMI from another Region or account under the same name, and wait until it is
    /// available.
    Copy {
        source: AmiRef,
        from: Region,
        name: String,
        /// KMS key of the copy. `None` means the default of the account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kms_key: Option<String>,
    },
    /// Ask EC2 by a dry run whether an instance of the AMI could start.
    Launchable {
        ami: AmiRef,
        /// Environment whose settings the launch has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        env: Option<EnvName>,
    },
    /// Set tags of AMIs in one call; an empty value removes a tag. The step fails if `before` no
    /// longer matches.
    #[serde(rename = "mark")]
    SetTags {
        amis: Vec<AmiId>,
        before: Tags,
        tags: Tags,
    },
    /// Withdraw AMIs at one location: mark them as revoked, make other AMIs current, and delete the
    /// pointers for which no version remains.
    Withdraw {
        amis: Vec<AmiId>,
        moves: Vec<Move>,
        unpublish: Vec<String>,
    },
    /// Set the SSM parameter to the AMI that the tags name.
    Publish { pointer: String, ami: AmiId },
    /// Delete the SSM parameter, because no version is current.
    Unpublish { pointer: String },
    /// Write an object to the store.
    #[serde(rename = "remember")]
    PutObject { key: String, text: String },
    /// Delete an object from the store that contradicts the tags.
    #[serde(rename = "forget")]
    DeleteObject { key: String },
    /// Report a location that could not be read. The step always fails.
    #[serde(rename = "unread")]
    Unreachable { why: String },
}

/// Step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// ID of the step.
    pub id: StepId,
    /// Unit that fails, is undone and is reported together.
    pub scope: Scope,
    /// Region in which the step acts.
    pub region: Region,
    /// Account in which the step acts, unless it is the builder's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Steps that must have succeeded before.
    pub needs: Vec<StepId>,
    /// Reason for the step.
    pub reason: String,
    /// Effect of the step.
    pub action: Action,
}

/// Decision about one image, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Image of the decision.
    pub image: ImageName,
    /// Verdict.
    pub verdict: PlanVerdict,
    /// Reasons, most important first; never empty.
    pub reasons: Vec<String>,
    /// Version that will be created, or that is kept.
    pub version: Option<Version>,
    /// Description of the AMI on which the image is built.
    pub base: Option<String>,
    /// Reason for this base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_because: Option<String>,
    /// AMI that is kept.
    pub ami: Option<AmiId>,
}

/// Decisions and the steps that carry them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub schema: u32,
    /// Run that executes the plan.
    pub run: RunId,
    /// Time of the decision.
    #[serde(rename = "made")]
    pub decided_at: Timestamp,
    /// Decision for each requested image, parents first.
    pub decisions: Vec<Decision>,
    /// Steps, each after the steps that it needs.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Returns the scopes in order of first appearance, each with the scopes that it waits for.
    #[must_use]
    pub fn scopes(&self) -> Vec<(&Scope, Vec<&Scope>)> {
        let owner: BTreeMap<&StepId, &Scope> =
            self.steps.iter().map(|s| (&s.id, &s.scope)).collect();
        let mut out: Vec<(&Scope, Vec<&Scope>)> = Vec::new();
        let mut positions: BTreeMap<&Scope, usize> = BTreeMap::new();
        for step in &self.steps {
            let position = *positions.entry(&step.scope).or_insert_with(|| {
                out.push((&step.scope, Vec::new()));
                out.len() - 1
            });
            for needed in step.needs.iter().filter_map(|n| owner.get(n)) {
                if **needed != step.scope && !out[position].1.contains(needed) {
                    out[position].1.push(needed);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in journals and saved plans; older files must remain readable.
    #[test]
    fn stored_plans_keep_their_keys() {
        let name = |action: Action| {
            let json = serde_json::to_value(action).expect("an action is valid JSON");
            json.as_object().and_then(|o| o.keys().next().cloned())
        };
        let (ami, key) = (AmiId::from("ami-1"), String::new());
        let (amis, before, tags) = (vec![ami.clone()], Tags::new(), Tags::new());
        for (action, expected) in [
            (
                Action::PutObject {
                    key: key.clone(),
                    text: key.clone(),
                },
                "remember",
            ),
            (Action::DeleteObject { key: key.clone() }, "forget"),
            (Action::Unreachable { why: key.clone() }, "unread"),
            (Action::SetTags { amis, before, tags }, "mark"),
            (
                Action::ClearPointers {
                    ami,
                    current: key,
                    pointers: Vec::new(),
                },
                "unpoint",
            ),
        ] {
            assert_eq!(name(action).as_deref(), Some(expected));
        }
        let plan = Plan {
            schema: 1,
            run: RunId::from("r1"),
            decided_at: Timestamp::UNIX_EPOCH,
            decisions: Vec::new(),
            steps: Vec::new(),
        };
        let json = serde_json::to_value(plan).expect("a plan is valid JSON");
        assert_eq!(json["made"], "1970-01-01T00:00:00Z");
    }
}
