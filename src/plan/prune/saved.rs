//! Owns a prune that was saved for review: the decision, and every fact it was made from, so that it is done exactly or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Wish;
use crate::catalog::{Catalog, Retention};
use crate::lifecycle::retain::Fate;
use crate::lifecycle::{Record, tags};
use crate::model::{Inventory, Timestamp};
use crate::plan::Plan;

/// The version of [`Saved`]'s shape that this bakeline writes and reads.
pub const SAVED_SCHEMA: u32 = 1;

/// Facts by the thing they are about and their names.
pub type Facts = BTreeMap<String, BTreeMap<String, String>>;

/// A reviewed prune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The version of this shape.
    pub schema: u32,
    /// What it is.
    pub kind: String,
    /// Whose it is.
    pub catalog: String,
    /// When it was decided.
    pub made: Timestamp,
    /// What was wished.
    pub wish: Wish,
    /// What was decided about each AMI.
    pub fates: Vec<Fate>,
    /// What is done.
    pub plan: Plan,
    /// What the decision was made from.
    pub facts: Facts,
}

/// The word in [`Saved::kind`].
pub const KIND: &str = "prune";

impl Saved {
    /// Puts together what is saved.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        inventory: &Inventory,
        wish: Wish,
        fates: Vec<Fate>,
        plan: Plan,
    ) -> Self {
        let name = catalog.settings.name.to_string();
        let facts = facts(catalog, inventory);
        Self {
            schema: SAVED_SCHEMA,
            kind: KIND.to_owned(),
            catalog: name,
            made: inventory.taken,
            wish,
            fates,
            plan,
            facts,
        }
    }
}

/// Every fact that a prune's decision reads, of the catalog and of each of its AMIs.
#[must_use]
pub fn facts(catalog: &Catalog, inventory: &Inventory) -> Facts {
    let settings = &catalog.settings;
    let mut out = Facts::new();
    let mut about = BTreeMap::new();
    let names: Vec<&str> = catalog
        .images
        .keys()
        .map(crate::model::ImageName::as_str)
        .collect();
    about.insert("images".to_owned(), names.join(" "));
    about.insert(
        "environment tag".to_owned(),
        settings.environment_key.clone(),
    );
    about.insert("retention".to_owned(), shown(&settings.retention));
    for (at, env) in settings.environments.iter().enumerate() {
        about.insert(
            format!("environment {at}"),
            format!("{} ({})", env.name, env.tag_value),
        );
        about.insert(format!("retention of {}", env.name), shown(&env.retention));
    }
    out.insert("the catalog".to_owned(), about);
    for (location, _) in &inventory.unread {
        out.insert(format!("unreadable location {location}"), BTreeMap::new());
    }
    for record in Record::all(&inventory.images, &settings.name) {
        out.insert(
            format!("{} in {}", record.ami.id, record.ami.region),
            of(&record, &settings.environment_key),
        );
    }
    for reference in &inventory.references {
        let found = inventory.images.iter().find(|a| a.id == reference.ami);
        let Some(facts) = found.and_then(|a| out.get_mut(&format!("{} in {}", a.id, a.region)))
        else {
            continue;
        };
        facts.insert(
            format!("{} {}", reference.kind, reference.by),
            "refers to it".to_owned(),
        );
    }
    out
}

fn shown(retention: &Retention) -> String {
    format!(
        "keep {}, days {}, reserve {}, disable after {} s, deregister after {} s",
        retention.keep,
        retention.days,
        retention.reserve,
        retention.disable_after.as_secs(),
        retention.deregister_after.as_secs()
    )
}

fn of(record: &Record<'_>, environment_key: &str) -> BTreeMap<String, String> {
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
    let read = [
        tags::STATE,
        tags::CURRENT,
        tags::PARENT,
        tags::RETIRING,
        tags::IMAGE,
        tags::VERSION,
        tags::ARCH,
    ];
    for key in read.into_iter().chain([environment_key]) {
        out.insert(format!("tag `{key}`"), record.tag(key).to_owned());
    }
    out
}

/// What differs between the facts of a saved prune and those of now, in words.
#[must_use]
pub fn moved(then: &Facts, now: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    for (thing, facts) in then {
        let Some(current) = now.get(thing) else {
            out.push(format!("{thing} is gone"));
            continue;
        };
        let keys: std::collections::BTreeSet<&String> =
            facts.keys().chain(current.keys()).collect();
        for key in keys {
            match (facts.get(key), current.get(key)) {
                (Some(before), Some(after)) if before == after => {}
                (Some(before), Some(after)) => {
                    out.push(format!("{thing}: {key} is {after:?}, not {before:?}"))
                }
                (Some(_), None) => out.push(format!("{thing}: {key} no longer refers to it")),
                (None, _) => out.push(format!("{thing}: {key} refers to it now")),
            }
        }
    }
    out.extend(
        now.keys()
            .filter(|thing| !then.contains_key(*thing))
            .map(|thing| format!("{thing} is new")),
    );
    out
}
