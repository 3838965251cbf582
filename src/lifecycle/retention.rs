//! Decides for each AMI whether a retention rule keeps it, and which retirement stages are due.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Retention};
use crate::lifecycle::retirement::{DueStages, RetirementStage, due_stages};
use crate::lifecycle::{Record, locations, rules};
use crate::model::{
    AmiId, Arch, CatalogName, ImageName, Inventory, Reference, Region, State, Timestamp, Version,
};

/// Inputs of the retention decision.
#[derive(Debug, Clone)]
pub struct RetentionRules<'a> {
    /// Time of the decision.
    pub now: Timestamp,
    /// Name of the catalog.
    pub catalog: &'a CatalogName,
    /// Images of the catalog.
    pub images: BTreeSet<&'a ImageName>,
    /// Value of the environment tag and retention settings of each environment, lowest first.
    pub environments: Vec<(&'a str, Retention)>,
    /// Retention settings of AMIs in no environment.
    pub default_retention: Retention,
    /// Key of the environment tag.
    pub environment_key: &'a str,
    /// References to the AMIs of the catalog.
    pub references: &'a [Reference],
    /// Locations that could not be read. Their SSM parameters may contain the ID of any AMI, so no
    /// AMI moves beyond deprecation while a location cannot be read.
    pub unreachable: Vec<String>,
    /// Accounts and Regions of AMIs that are kept, because the references to them could not be read,
    /// with the account that could not be read: their own, or one that launches shared AMIs.
    pub unread_references: BTreeMap<(String, Region), String>,
    /// Accounts that launch the AMIs of the builder's account in a Region, and whose use is read.
    pub receivers: BTreeSet<(Region, String)>,
    /// Account of the builder.
    pub account: &'a str,
    /// True if shared AMIs may move beyond deprecation.
    pub shared_ok: bool,
    /// Image that is being retired. The rules `current`, `newest`, `young`, `reserve` and `orphaned`
    /// do not apply to its AMIs.
    pub retired_images: Option<&'a BTreeSet<ImageName>>,
}

impl<'a> RetentionRules<'a> {
    /// Returns the rules of a catalog for an inventory.
    #[must_use]
    pub fn from_inventory(catalog: &'a Catalog, inventory: &'a Inventory) -> Self {
        let settings = &catalog.settings;
        let receiving = locations::receiving_in_catalog(settings, &inventory.account);
        Self {
            now: inventory.captured_at,
            catalog: &settings.name,
            images: catalog.images.keys().collect(),
            environments: settings
                .environments
                .iter()
                .map(|e| (e.tag_value.as_str(), e.retention.clone()))
                .collect(),
            default_retention: settings.retention.clone(),
            environment_key: &settings.environment_key,
            references: &inventory.references,
            unreachable: inventory
                .unreachable
                .iter()
                .map(|(location, _)| location.to_string())
                .collect(),
            unread_references: locations::unread_references(inventory, &receiving),
            receivers: receiving
                .into_iter()
                .filter_map(|location| Some((location.region, location.account?)))
                .collect(),
            account: &inventory.account,
            shared_ok: false,
            retired_images: None,
        }
    }

    /// Replaces `keep` in all settings that count versions.
    #[must_use]
    pub fn with_keep(mut self, keep: Option<u32>) -> Self {
        if let Some(keep) = keep {
            let all = self
                .environments
                .iter_mut()
                .map(|(_, r)| r)
                .chain([&mut self.default_retention]);
            all.filter(|r| r.keep > 0).for_each(|r| r.keep = keep);
        }
        self
    }

    /// Returns the environment level that an AMI has reached.
    pub(super) fn level(&self, record: &Record<'_>) -> Option<usize> {
        let value = record.tag(self.environment_key);
        self.environments.iter().position(|(tag, _)| *tag == value)
    }

    /// Returns the account in which the references to an AMI are unknown, because it could not be read.
    pub(super) fn unread_account(&self, record: &Record<'_>) -> Option<&str> {
        let key = (record.ami.owner.clone(), record.ami.region.clone());
        self.unread_references.get(&key).map(String::as_str)
    }

    /// Returns whether the use of an AMI by the receiver of a launch permission is among the references.
    pub(super) fn is_read(&self, record: &Record<'_>, receiver: &str) -> bool {
        let key = (record.ami.region.clone(), receiver.to_owned());
        record.ami.owner == self.account && self.receivers.contains(&key)
    }

    /// Returns the retention settings that apply to an AMI.
    pub(super) fn retention(&self, record: &Record<'_>) -> &Retention {
        self.level(record)
            .map_or(&self.default_retention, |at| &self.environments[at].1)
    }
}

/// Result of one rule for one AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Name of the rule.
    pub rule: String,
    /// True if the rule keeps the AMI.
    #[serde(rename = "keeps")]
    pub keep: bool,
    /// Reason for the result.
    #[serde(rename = "because")]
    pub reason: String,
}

/// Retention decision about one AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionDecision {
    /// ID of the AMI.
    pub ami: AmiId,
    /// Region of the AMI.
    pub region: Region,
    /// Account that owns the AMI.
    pub owner: String,
    /// Image of which it is a version.
    pub image: ImageName,
    /// Version of the image.
    pub version: Version,
    /// Architecture of the AMI.
    pub arch: Arch,
    /// State of the version.
    pub state: State,
    /// True if no rule keeps the AMI.
    pub retire: bool,
    /// Stages that are due now. Empty if the AMI is kept or waits.
    #[serde(rename = "next")]
    pub due_stages: Vec<RetirementStage>,
    /// Time when the next stage is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "due")]
    pub next_due: Option<Timestamp>,
    /// True if a rule keeps the AMI although its retirement has started. `bakeline restore` undoes
    /// the retirement.
    pub restore: bool,
    /// Results of all rules.
    #[serde(rename = "answers")]
    pub results: Vec<RuleResult>,
}

impl RetentionDecision {
    /// Returns the action for tables: `keep`, `wait`, or the last stage that is due.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match (self.retire, self.due_stages.last()) {
            (false, _) => "keep",
            (true, None) => "wait",
            (true, Some(stage)) => stage.as_str(),
        }
    }

    /// Returns the facts that decided. The full list is in `results`.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.retire {
            return self.retire_reason();
        }
        let is_current = |r: &RuleResult| r.rule == "current";
        let keeping: Vec<&RuleResult> = self.results.iter().filter(|r| r.keep).collect();
        // A current AMI is retired only with its image. An image outside the catalog needs an action.
        let has_current = keeping.iter().any(|r| is_current(r));
        let reasons: Vec<&str> = keeping
            .iter()
            .filter(|r| !has_current || is_current(r) || r.rule == "orphaned")
            .map(|r| r.reason.as_str())
            .collect();
        reasons.join("; ")
    }

    /// Returns the first fact that decided. If an action is needed, it is the fact that names it.
    #[must_use]
    pub fn deciding_reason(&self) -> String {
        if self.retire {
            return self.retire_reason();
        }
        let keeping = || self.results.iter().filter(|r| r.keep);
        let first = keeping().find(|r| r.rule == "orphaned");
        first
            .or_else(|| keeping().next())
            .map_or_else(String::new, |r| r.reason.clone())
    }

    fn retire_reason(&self) -> String {
        let reason_of = |rule: &str| {
            let result = self.results.iter().find(|r| r.rule == rule);
            result.map(|r| r.reason.as_str())
        };
        let mut facts = vec![reason_of("newest").unwrap_or("image is retired")];
        facts.extend(reason_of("young").filter(|age| *age != rules::NO_MINIMUM_AGE));
        facts.push("unused");
        let limits = ["shared", "locations", "ladder"]
            .into_iter()
            .filter_map(reason_of);
        let mut parts = vec![facts.join(", ")];
        parts.extend(
            limits
                .filter(|limit| *limit != NOT_SHARED)
                .map(str::to_owned),
        );
        parts.join("; ")
    }
}

/// Reason of the sharing rule for an AMI that is not shared.
const NOT_SHARED: &str = "not shared";

/// Owner and Region of an AMI.
pub(super) type LocationKey<'r> = (&'r str, &'r str);

/// Returns the owner and Region of an AMI.
pub(super) fn location_key<'r>(record: &'r Record<'_>) -> LocationKey<'r> {
    (&record.ami.owner, record.ami.region.as_str())
}

/// Decides about every AMI of the catalog.
#[must_use]
pub fn decide_retention(
    records: &[Record<'_>],
    rules: &RetentionRules<'_>,
) -> Vec<RetentionDecision> {
    let mut references: BTreeMap<&AmiId, Vec<&Reference>> = BTreeMap::new();
    for reference in rules.references {
        references
            .entry(&reference.ami)
            .or_default()
            .push(reference);
    }
    let counted = rules::CountedVersions::count(records, rules);
    let mut results: Vec<Vec<RuleResult>> = records
        .iter()
        .map(|r| {
            rules::apply_rules(
                r,
                rules,
                &counted,
                references.get(&r.ami.id).map_or(&[], Vec::as_slice),
            )
        })
        .collect();
    protect_parents(records, &mut results);
    records
        .iter()
        .zip(results)
        .map(|(record, results)| {
            decide_record(
                record,
                rules,
                results,
                references.get(&record.ami.id).map_or(&[], Vec::as_slice),
            )
        })
        .collect()
}

fn decide_record(
    record: &Record<'_>,
    rules: &RetentionRules<'_>,
    mut results: Vec<RuleResult>,
    references: &[&Reference],
) -> RetentionDecision {
    let retire = results.iter().all(|r| !r.keep);
    let shared = rules::shared_accounts(record, rules, references);
    let mut stages = DueStages::default();
    if retire {
        let stop_at_deprecation = shared.is_some() && !rules.shared_ok;
        stages = due_stages(
            record,
            rules.retention(record),
            stop_at_deprecation,
            rules.now,
        );
        results.extend(limit_stages(&mut stages, shared, rules));
    } else if let Some(accounts) = shared {
        results.push(sharing_result(Some(accounts), rules));
    }
    RetentionDecision {
        ami: record.ami.id.clone(),
        region: record.ami.region.clone(),
        owner: record.ami.owner.clone(),
        image: record.image.clone(),
        version: record.version,
        arch: record.arch,
        state: record.state,
        retire,
        due_stages: stages.due,
        next_due: stages.upcoming.map(|(_, due)| due),
        restore: !retire
            && record.state == State::Retiring
            && rules.unread_account(record).is_none(),
        results,
    }
}

fn sharing_result(shared: Option<String>, rules: &RetentionRules<'_>) -> RuleResult {
    let reason = match shared {
        None => NOT_SHARED.to_owned(),
        Some(accounts) if rules.shared_ok => {
            format!("shared with {accounts}, allowed by --shared-ok")
        }
        Some(accounts) => {
            format!(
                "shared with {accounts}: will only be deprecated; `bakeline prune --shared-ok` allows disabling"
            )
        }
    };
    rules::not_kept("shared", reason)
}

/// Removes stages that must not run now, and returns the facts that limit the retirement.
fn limit_stages(
    stages: &mut DueStages,
    shared: Option<String>,
    rules: &RetentionRules<'_>,
) -> Vec<RuleResult> {
    let mut limits = Vec::new();
    // Sharing matters only for an AMI that moves beyond deprecation.
    if shared.is_some() || stages.due.contains(&RetirementStage::Disable) {
        limits.push(sharing_result(shared, rules));
    }
    let goes_beyond = stages.due.iter().any(|s| *s != RetirementStage::Deprecate);
    if !rules.unreachable.is_empty() && goes_beyond {
        stages.due.retain(|s| *s == RetirementStage::Deprecate);
        stages.upcoming = None;
        let locations = rules.unreachable.join(", ");
        let reason = format!("will only be deprecated while {locations} cannot be read");
        limits.push(rules::not_kept("locations", reason));
    }
    if let Some((stage, due)) = stages.upcoming.filter(|_| stages.due.is_empty()) {
        limits.push(rules::not_kept(
            "ladder",
            format!("{} is due {due}", stage.as_str()),
        ));
    }
    limits
}

/// Keeps all parents, in the same location, of every kept AMI.
fn protect_parents(records: &[Record<'_>], results: &mut [Vec<RuleResult>]) {
    let mut versions: BTreeMap<(LocationKey<'_>, &ImageName, Version), Vec<usize>> =
        BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let key = (location_key(record), &record.image, record.version);
        versions.entry(key).or_default().push(at);
    }
    let is_kept = |results: &[RuleResult]| results.iter().any(|r| r.keep);
    let mut queue: Vec<usize> = (0..records.len())
        .filter(|at| is_kept(&results[*at]))
        .collect();
    let mut parent_results = vec![None; records.len()];
    let mut next = 0;
    while let Some(&child) = queue.get(next) {
        next += 1;
        let record = &records[child];
        let Some((image, version)) = &record.parent else {
            continue;
        };
        let key = (location_key(record), image, *version);
        for &parent in versions.get(&key).into_iter().flatten() {
            if parent_results[parent].is_none() {
                let reason = format!("layer parent of {}@{}", record.image, record.version);
                parent_results[parent] = Some(rules::kept("parent", reason));
                if !is_kept(&results[parent]) {
                    queue.push(parent);
                }
            }
        }
    }
    for (results, parent) in results.iter_mut().zip(parent_results) {
        let none = || rules::not_kept("parent", "not a parent of a kept AMI");
        results.push(parent.unwrap_or_else(none));
    }
}
