//! Owns what prune may move down the ladder: for each AMI every rule asked and its answer; nothing goes without a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Retention};
use crate::lifecycle::ladder::{Rung, Way, way};
use crate::lifecycle::{Record, rules};
use crate::model::{
    AmiId, Arch, CatalogName, ImageName, Inventory, Reference, Region, State, Timestamp, Version,
};

/// What is known and wished when deciding.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// Now.
    pub now: Timestamp,
    /// The catalog's name.
    pub catalog: &'a CatalogName,
    /// The images that the catalog has.
    pub images: BTreeSet<&'a ImageName>,
    /// The value of the environment tag and how much is kept, for each environment, lowest first.
    pub ladder: Vec<(&'a str, Retention)>,
    /// How much is kept of what is in no environment.
    pub otherwise: Retention,
    /// The key of the environment tag.
    pub environment_key: &'a str,
    /// What refers to our AMIs.
    pub references: &'a [Reference],
    /// Locations that could not be read. Their SSM parameters may contain the ID of any AMI, so none goes beyond
    /// deprecation while there are any.
    pub unread: Vec<String>,
    /// Whether what is shared with others may go beyond deprecation.
    pub shared_ok: bool,
    /// An image that is taken out of service: neither its location in the catalog nor retention keeps it.
    pub leaving: Option<&'a ImageName>,
}

impl<'a> Rules<'a> {
    /// The rules of a catalog in a inventory.
    #[must_use]
    pub fn of(catalog: &'a Catalog, inventory: &'a Inventory) -> Self {
        let settings = &catalog.settings;
        Self {
            now: inventory.taken,
            catalog: &settings.name,
            images: catalog.images.keys().collect(),
            ladder: settings
                .environments
                .iter()
                .map(|e| (e.tag_value.as_str(), e.retention.clone()))
                .collect(),
            otherwise: settings.retention.clone(),
            environment_key: &settings.environment_key,
            references: &inventory.references,
            unread: inventory
                .unread
                .iter()
                .map(|(location, _)| location.to_string())
                .collect(),
            shared_ok: false,
            leaving: None,
        }
    }

    /// The same with another `keep` wherever versions are counted.
    #[must_use]
    pub fn keeping(mut self, keep: Option<u32>) -> Self {
        if let Some(keep) = keep {
            let all = self
                .ladder
                .iter_mut()
                .map(|(_, r)| r)
                .chain([&mut self.otherwise]);
            all.filter(|r| r.keep > 0).for_each(|r| r.keep = keep);
        }
        self
    }

    /// The position of the environment an AMI reached, or none.
    pub(super) fn rung(&self, record: &Record<'_>) -> Option<usize> {
        let value = record.tag(self.environment_key);
        self.ladder.iter().position(|(tag, _)| *tag == value)
    }

    /// How much is kept where an AMI is.
    pub(super) fn retention(&self, record: &Record<'_>) -> &Retention {
        self.rung(record)
            .map_or(&self.otherwise, |at| &self.ladder[at].1)
    }
}

/// One rule's answer about one AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The rule's name.
    pub rule: String,
    /// Whether it keeps the AMI.
    pub keeps: bool,
    /// Why.
    pub because: String,
}

/// The decision about one AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fate {
    /// The AMI.
    pub ami: AmiId,
    /// Where it is.
    pub region: Region,
    /// Whose it is.
    pub owner: String,
    /// Its image.
    pub image: ImageName,
    /// Its version.
    pub version: Version,
    /// Its architecture.
    pub arch: Arch,
    /// Where it is in its life.
    pub state: State,
    /// Whether nothing keeps it.
    pub retire: bool,
    /// The rungs that are due now; empty for what stays, and for what waits.
    pub next: Vec<Rung>,
    /// When the rung after these is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Whether it is on the way out although something keeps it: `bakeline restore` takes it back.
    pub restore: bool,
    /// Every rule asked.
    pub answers: Vec<Answer>,
}

impl Fate {
    /// The word in tables: `keep`, `wait`, or the last rung that is due.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match (self.retire, self.next.last()) {
            (false, _) => "keep",
            (true, None) => "wait",
            (true, Some(rung)) => rung.as_str(),
        }
    }

    /// The reasons that decided: what keeps it, or all that let it go.
    #[must_use]
    pub fn reason(&self) -> String {
        let decisive = self.answers.iter().filter(|a| a.keeps != self.retire);
        decisive
            .map(|a| a.because.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Where an AMI is: owner and Region.
pub(super) type Location<'r> = (&'r str, &'r str);

/// The location of an AMI.
pub(super) fn location<'r>(record: &'r Record<'_>) -> Location<'r> {
    (&record.ami.owner, record.ami.region.as_str())
}

/// Decides about every AMI of this catalog.
#[must_use]
pub fn decide(records: &[Record<'_>], rules: &Rules<'_>) -> Vec<Fate> {
    let mut references: BTreeMap<&AmiId, Vec<&Reference>> = BTreeMap::new();
    for reference in rules.references {
        references
            .entry(&reference.ami)
            .or_default()
            .push(reference);
    }
    let counted = rules::Counted::of(records, rules);
    let mut answers: Vec<Vec<Answer>> = records
        .iter()
        .map(|r| {
            rules::ask(
                r,
                rules,
                &counted,
                references.get(&r.ami.id).map_or(&[], Vec::as_slice),
            )
        })
        .collect();
    protect_parents(records, &mut answers);
    records
        .iter()
        .zip(answers)
        .map(|(record, answers)| {
            fate(
                record,
                rules,
                answers,
                references.get(&record.ami.id).map_or(&[], Vec::as_slice),
            )
        })
        .collect()
}

fn fate(
    record: &Record<'_>,
    rules: &Rules<'_>,
    mut answers: Vec<Answer>,
    references: &[&Reference],
) -> Fate {
    let retire = answers.iter().all(|a| !a.keeps);
    let shared = rules::shared(record, references);
    let shared_with = shared.is_some();
    let stops = shared_with && !rules.shared_ok;
    let mut way = if retire {
        way(record, rules.retention(record), stops, rules.now)
    } else {
        Default::default()
    };
    let because = match (shared, stops) {
        (None, _) => "not shared".to_owned(),
        (Some(with), false) => format!("shared with {with}, which is allowed"),
        (Some(with), true) => {
            format!("shared with {with}: not beyond deprecation without --shared-ok")
        }
    };
    // With whom it is shared is asked only of what goes beyond deprecation.
    if shared_with || way.next.contains(&Rung::Disable) {
        answers.push(Answer {
            rule: "shared".to_owned(),
            keeps: false,
            because,
        });
    }
    if !rules.unread.is_empty() && way.next.iter().any(|rung| *rung != Rung::Deprecate) {
        way = Way {
            next: way
                .next
                .into_iter()
                .filter(|rung| *rung == Rung::Deprecate)
                .collect(),
            then: None,
        };
        let because = format!(
            "not beyond deprecation while {} cannot be read",
            rules.unread.join(", ")
        );
        answers.push(Answer {
            rule: "locations".to_owned(),
            keeps: false,
            because,
        });
    }
    if let Some((rung, due)) = way.then.filter(|_| way.next.is_empty()) {
        let because = format!("{} is due {due}", rung.as_str());
        answers.push(Answer {
            rule: "ladder".to_owned(),
            keeps: false,
            because,
        });
    }
    Fate {
        ami: record.ami.id.clone(),
        region: record.ami.region.clone(),
        owner: record.ami.owner.clone(),
        image: record.image.clone(),
        version: record.version,
        arch: record.arch,
        state: record.state,
        retire,
        next: way.next,
        due: way.then.map(|(_, due)| due),
        restore: !retire && record.state == State::Retiring,
        answers,
    }
}

/// Keeps the layer parents of everything that stays in the same location, until nothing changes any more.
fn protect_parents(records: &[Record<'_>], answers: &mut [Vec<Answer>]) {
    let mut versions: BTreeMap<(Location<'_>, &ImageName, Version), Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        versions
            .entry((location(record), &record.image, record.version))
            .or_default()
            .push(at);
    }
    let stays = |answers: &[Answer]| answers.iter().any(|a| a.keeps);
    let mut asked: Vec<usize> = (0..records.len())
        .filter(|at| stays(&answers[*at]))
        .collect();
    let mut parents = vec![None; records.len()];
    let mut next = 0;
    while let Some(&child) = asked.get(next) {
        next += 1;
        let record = &records[child];
        let Some((image, version)) = &record.parent else {
            continue;
        };
        for &parent in versions
            .get(&(location(record), image, *version))
            .map_or(&[][..], Vec::as_slice)
        {
            let name = format!("{}@{}", record.image, record.version);
            if parents[parent].is_none() {
                let because = format!("layer parent of {name}, which stays");
                let newly = !stays(&answers[parent]);
                parents[parent] = Some(Answer {
                    rule: "parent".to_owned(),
                    keeps: true,
                    because,
                });
                if newly {
                    asked.push(parent);
                }
            }
        }
    }
    for (answers, parent) in answers.iter_mut().zip(parents) {
        let no = || Answer {
            rule: "parent".to_owned(),
            keeps: false,
            because: "no layer parent of what stays".to_owned(),
        };
        answers.push(parent.unwrap_or_else(no));
    }
}
