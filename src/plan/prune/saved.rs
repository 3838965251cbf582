//! Saves a prune for review with the facts behind it, so that bakeline executes exactly this prune
//! or nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PruneOptions;
use crate::catalog::{Catalog, Retention};
use crate::lifecycle::retention::RetentionDecision;
use crate::lifecycle::{Record, tags};
use crate::model::{Inventory, Timestamp};
use crate::plan::Plan;

/// Version of the format of [`SavedPrune`].
pub const SAVED_SCHEMA: u32 = 1;

/// Facts by object and name.
pub type PruneFacts = BTreeMap<String, BTreeMap<String, String>>;

/// Prune saved for review, with the facts behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPrune {
    /// Version of this format.
    pub schema: u32,
    /// Kind of the file: [`KIND`].
    pub kind: String,
    /// Name of the catalog.
    pub catalog: String,
    /// Time of the decision.
    #[serde(rename = "made")]
    pub decided_at: Timestamp,
    /// Options of the prune.
    #[serde(rename = "wish")]
    pub options: PruneOptions,
    /// Decision about each AMI.
    #[serde(rename = "fates")]
    pub decisions: Vec<RetentionDecision>,
    /// Plan to execute.
    pub plan: Plan,
    /// Facts behind the decisions.
    pub facts: PruneFacts,
}

/// Value of [`SavedPrune::kind`].
pub const KIND: &str = "prune";

impl SavedPrune {
    /// Creates a saved prune with its facts.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        inventory: &Inventory,
        options: PruneOptions,
        decisions: Vec<RetentionDecision>,
        plan: Plan,
    ) -> Self {
        let name = catalog.settings.name.to_string();
        let facts = collect_facts(catalog, inventory);
        Self {
            schema: SAVED_SCHEMA,
            kind: KIND.to_owned(),
            catalog: name,
            decided_at: inventory.captured_at,
            options,
            decisions,
            plan,
            facts,
        }
    }
}

/// Returns every fact of the catalog and its AMIs that a prune depends on.
#[must_use]
pub fn collect_facts(catalog: &Catalog, inventory: &Inventory) -> PruneFacts {
    let settings = &catalog.settings;
    let mut out = PruneFacts::new();
    let mut settings_facts = BTreeMap::new();
    let names: Vec<&str> = catalog
        .images
        .keys()
        .map(crate::model::ImageName::as_str)
        .collect();
    settings_facts.insert("images".to_owned(), names.join(" "));
    settings_facts.insert(
        "environment tag".to_owned(),
        settings.environment_key.clone(),
    );
    settings_facts.insert(
        "retention".to_owned(),
        describe_retention(&settings.retention),
    );
    for (at, env) in settings.environments.iter().enumerate() {
        settings_facts.insert(
            format!("environment {at}"),
            format!("{} ({})", env.name, env.tag_value),
        );
        settings_facts.insert(
            format!("retention of {}", env.name),
            describe_retention(&env.retention),
        );
    }
    out.insert("the catalog".to_owned(), settings_facts);
    for (location, _) in &inventory.unreachable {
        out.insert(format!("unreadable location {location}"), BTreeMap::new());
    }
    for (location, _) in &inventory.unread_references {
        out.insert(
            format!("unreadable references in {location}"),
            BTreeMap::new(),
        );
    }
    for record in Record::read_all(&inventory.images, settings) {
        out.insert(
            format!("{} in {}", record.ami.id, record.ami.region),
            record_facts(&record, &settings.environment_key),
        );
    }
    for reference in &inventory.references {
        let found = inventory.images.iter().find(|a| a.id == reference.ami);
        let Some(facts) = found.and_then(|a| out.get_mut(&format!("{} in {}", a.id, a.region)))
        else {
            continue;
        };
        facts.insert(
            format!("{} {}", reference.kind, reference.referrer),
            "reference".to_owned(),
        );
    }
    out
}

fn describe_retention(retention: &Retention) -> String {
    format!(
        "keep {}, days {}, reserve {}, disable after {} s, deregister after {} s",
        retention.keep,
        retention.days,
        retention.reserve,
        retention.disable_after.as_secs(),
        retention.deregister_after.as_secs()
    )
}

fn record_facts(record: &Record<'_>, environment_key: &str) -> BTreeMap<String, String> {
    let ami = record.ami;
    let mut out = BTreeMap::from([
        ("owner".to_owned(), ami.owner.clone()),
        ("status".to_owned(), ami.status.clone()),
        ("created".to_owned(), ami.created.clone()),
        (
            "last launched".to_owned(),
            ami.last_launched.clone().unwrap_or_default(),
        ),
        ("public".to_owned(), ami.public.to_string()),
        ("protected".to_owned(), ami.protected.to_string()),
    ]);
    let tag_keys = [
        tags::STATE,
        tags::CURRENT,
        tags::PARENT,
        tags::RETIRING,
        tags::IMAGE,
        tags::VERSION,
        tags::ARCH,
    ];
    for key in tag_keys.into_iter().chain([environment_key]) {
        out.insert(format!("tag `{key}`"), record.tag(key).to_owned());
    }
    out
}

/// Describes the differences between the facts of a saved prune and the present ones.
#[must_use]
pub fn describe_changes(then: &PruneFacts, now: &PruneFacts) -> Vec<String> {
    let mut out = Vec::new();
    for (object, facts) in then {
        let Some(current) = now.get(object) else {
            out.push(format!("{object} is gone"));
            continue;
        };
        let keys: std::collections::BTreeSet<&String> =
            facts.keys().chain(current.keys()).collect();
        for key in keys {
            match (facts.get(key), current.get(key)) {
                (Some(before), Some(after)) if before == after => {}
                (Some(before), Some(after)) => {
                    out.push(format!("{object}: {key} is {after:?}, not {before:?}"))
                }
                (Some(before), None) => {
                    out.push(format!("{object}: {key} ({before}) was removed"));
                }
                (None, Some(after)) => out.push(format!("{object}: {key} ({after}) was added")),
                (None, None) => {}
            }
        }
    }
    out.extend(
        now.keys()
            .filter(|object| !then.contains_key(*object))
            .map(|object| format!("{object} is new")),
    );
    out
}
